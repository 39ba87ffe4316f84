# Completes sync-sidecar in bash: source <(sync-sidecar completion bash)
_sync_sidecar() {
	local IFS=$'\n' current=${COMP_WORDS[COMP_CWORD]}
	local before=("${COMP_WORDS[@]:1:COMP_CWORD-1}")
	COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" __complete -- "${before[@]}" "$current" 2>/dev/null | cut -f 1)" -- "$current"))
}
complete -o bashdefault -o default -F _sync_sidecar sync-sidecar

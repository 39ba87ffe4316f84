#compdef sync-sidecar
# Completes sync-sidecar in zsh: source <(sync-sidecar completion zsh)
_sync_sidecar() {
	local line
	local -a described
	for line in "${(@f)$("${words[1]}" __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
		[[ -n $line ]] && described+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
	done
	if (( ${#described} )); then
		_describe 'sync-sidecar' described
	else
		_files
	fi
}
compdef _sync_sidecar sync-sidecar

# Completes sync-sidecar in fish: sync-sidecar completion fish | source
function __sync_sidecar
	set -l current (commandline --current-token)
	set -l before (commandline --tokenize --cut-at-cursor --current-process)
	set -l found (command $before[1] __complete -- $before[2..-1] "$current" 2>/dev/null)
	if test (count $found) -gt 0
		printf '%s\n' $found
	else
		__fish_complete_path "$current"
	end
end
complete --command sync-sidecar --no-files --arguments '(__sync_sidecar)'

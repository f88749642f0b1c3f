# bash completion of mailhaul. Load it with:  source <(mailhaul completion bash)
# The words of the line are handed on as they are; nothing in them is expanded or run.
_mailhaul() {
	local word
	COMPREPLY=()
	while IFS= read -r word; do
		case $word in
		:files) compopt -o default -o filenames 2>/dev/null ;;
		*) COMPREPLY+=("$word") ;;
		esac
	done < <(command mailhaul complete-words bash -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null </dev/null)
}
complete -F _mailhaul mailhaul

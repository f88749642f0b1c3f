#compdef mailhaul
# zsh completion of mailhaul. Put it into a directory of $fpath as _mailhaul, or, behind compinit:
#   source <(mailhaul completion zsh)
# The words of the line are handed on as they are; nothing in them is expanded or run.
_mailhaul() {
	local line
	local -a list
	for line in "${(@f)$(command mailhaul complete-words zsh -- "${(@)words[2,CURRENT]}" 2>/dev/null </dev/null)}"; do
		case $line in
		(:files) _files; return ;;
		(?*) list+=("$line") ;;
		esac
	done
	(( $#list )) && _describe mailhaul list
}
if [[ ${funcstack[1]} == _mailhaul ]]; then
	_mailhaul "$@"
else
	compdef _mailhaul mailhaul
fi

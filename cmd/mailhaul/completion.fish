# fish completion of mailhaul. Put it into ~/.config/fish/completions/mailhaul.fish, or:
#   mailhaul completion fish | source
function __mailhaul_complete
    set -l words (commandline -opc)
    set -e words[1]
    set -l current (commandline -ct)
    for line in (command mailhaul complete-words fish -- $words "$current" 2>/dev/null </dev/null)
        switch $line
            case :files
                __fish_complete_path "$current"
            case '*'
                echo $line
        end
    end
end
complete -c mailhaul -f -a '(__mailhaul_complete)'

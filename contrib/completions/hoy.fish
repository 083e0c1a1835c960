# Completion of hoy(8) for fish, generated from the tables of the program.

function __hoy_words --description 'The words before the cursor that are neither options of hoy nor their values'
    set -l tokens (commandline -opc)
    set -e tokens[1]
    set -l awaited 0
    for token in $tokens
        if test $awaited = 1
            set awaited 0
            continue
        end
        switch $token
            case @AWAITING@
                set awaited 1
            case '-*'
            case '*'
                echo $token
        end
    end
end

function __hoy_command --description 'The command on the line, if there is one'
    set -l words (__hoy_words)
    test (count $words) -gt 0; and echo $words[1]
end

function __hoy_wants_word --description 'Whether the command on the line is this one and has no word yet'
    set -l words (__hoy_words)
    test (count $words) -eq 1; and test $words[1] = $argv[1]
end

function __hoy_ids
    hoy list -q 2>/dev/null
end

complete -c hoy -f
@COMPLETIONS@

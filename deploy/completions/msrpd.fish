# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_msrpd_global_optspecs
    string join \n log= h/help V/version
end

function __fish_msrpd_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_msrpd_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_msrpd_using_subcommand
    set -l cmd (__fish_msrpd_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c msrpd -n "__fish_msrpd_needs_command" -l log -d 'What to log, for example "info,msrp_sip=debug"' -r
complete -c msrpd -n "__fish_msrpd_needs_command" -s h -l help -d 'Print help'
complete -c msrpd -n "__fish_msrpd_needs_command" -s V -l version -d 'Print version'
complete -c msrpd -n "__fish_msrpd_needs_command" -f -a "serve" -d 'Serve until SIGTERM or SIGINT. SIGHUP reads groups and certificates anew'
complete -c msrpd -n "__fish_msrpd_needs_command" -f -a "check" -d 'Check a configuration file and the group documents that it names, and end'
complete -c msrpd -n "__fish_msrpd_needs_command" -f -a "demo" -d 'Serve one chat room on loopback with two bots that talk and a page for the browser, without configuration'
complete -c msrpd -n "__fish_msrpd_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c msrpd -n "__fish_msrpd_using_subcommand serve" -l config -d 'The configuration file; without one every key has its default' -r -F
complete -c msrpd -n "__fish_msrpd_using_subcommand serve" -l log -d 'What to log, for example "info,msrp_sip=debug"' -r
complete -c msrpd -n "__fish_msrpd_using_subcommand serve" -s h -l help -d 'Print help'
complete -c msrpd -n "__fish_msrpd_using_subcommand serve" -s V -l version -d 'Print version'
complete -c msrpd -n "__fish_msrpd_using_subcommand check" -l config -d 'The configuration file' -r -F
complete -c msrpd -n "__fish_msrpd_using_subcommand check" -l log -d 'What to log, for example "info,msrp_sip=debug"' -r
complete -c msrpd -n "__fish_msrpd_using_subcommand check" -s h -l help -d 'Print help'
complete -c msrpd -n "__fish_msrpd_using_subcommand check" -s V -l version -d 'Print version'
complete -c msrpd -n "__fish_msrpd_using_subcommand demo" -l sip -d 'The SIP address, UDP and TCP' -r
complete -c msrpd -n "__fish_msrpd_using_subcommand demo" -l msrp -d 'The MSRP address' -r
complete -c msrpd -n "__fish_msrpd_using_subcommand demo" -l ws -d 'The address of MSRP over WebSocket, for the page; a free port of 127.0.0.1 by default' -r
complete -c msrpd -n "__fish_msrpd_using_subcommand demo" -l admin -d 'The address of the admin HTTP server' -r
complete -c msrpd -n "__fish_msrpd_using_subcommand demo" -l log -d 'What to log, for example "info,msrp_sip=debug"' -r
complete -c msrpd -n "__fish_msrpd_using_subcommand demo" -s h -l help -d 'Print help'
complete -c msrpd -n "__fish_msrpd_using_subcommand demo" -s V -l version -d 'Print version'
complete -c msrpd -n "__fish_msrpd_using_subcommand help; and not __fish_seen_subcommand_from serve check demo help" -f -a "serve" -d 'Serve until SIGTERM or SIGINT. SIGHUP reads groups and certificates anew'
complete -c msrpd -n "__fish_msrpd_using_subcommand help; and not __fish_seen_subcommand_from serve check demo help" -f -a "check" -d 'Check a configuration file and the group documents that it names, and end'
complete -c msrpd -n "__fish_msrpd_using_subcommand help; and not __fish_seen_subcommand_from serve check demo help" -f -a "demo" -d 'Serve one chat room on loopback with two bots that talk and a page for the browser, without configuration'
complete -c msrpd -n "__fish_msrpd_using_subcommand help; and not __fish_seen_subcommand_from serve check demo help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'

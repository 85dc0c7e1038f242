# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_msrpctl_global_optspecs
    string join \n log= json admin= socket= token-file= ca= cert= key= h/help V/version
end

function __fish_msrpctl_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_msrpctl_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_msrpctl_using_subcommand
    set -l cmd (__fish_msrpctl_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c msrpctl -n "__fish_msrpctl_needs_command" -l log -d 'What to log, for example "info,msrp_sip=debug"' -r
complete -c msrpctl -n "__fish_msrpctl_needs_command" -l admin -d 'The admin address of msrpd' -r
complete -c msrpctl -n "__fish_msrpctl_needs_command" -l socket -d 'The admin socket of msrpd, in the place of its address' -r -F
complete -c msrpctl -n "__fish_msrpctl_needs_command" -l token-file -d 'A file that holds a token of msrpd, and nothing else' -r -F
complete -c msrpctl -n "__fish_msrpctl_needs_command" -l ca -d 'The admin address speaks TLS, with a certificate that one of these signs. PEM' -r -F
complete -c msrpctl -n "__fish_msrpctl_needs_command" -l cert -d 'The certificate to show to the node, then those of its chain. PEM; needs --ca and --key' -r -F
complete -c msrpctl -n "__fish_msrpctl_needs_command" -l key -d 'The private key of --cert. PEM' -r -F
complete -c msrpctl -n "__fish_msrpctl_needs_command" -l json -d 'Print JSON: one document, or one a line where there are several'
complete -c msrpctl -n "__fish_msrpctl_needs_command" -s h -l help -d 'Print help'
complete -c msrpctl -n "__fish_msrpctl_needs_command" -s V -l version -d 'Print version'
complete -c msrpctl -n "__fish_msrpctl_needs_command" -f -a "status" -d 'Show whether a node is ready, and a few sums'
complete -c msrpctl -n "__fish_msrpctl_needs_command" -f -a "top" -d 'Show what a node does, live; q ends'
complete -c msrpctl -n "__fish_msrpctl_needs_command" -f -a "rooms" -d 'List the rooms that run'
complete -c msrpctl -n "__fish_msrpctl_needs_command" -f -a "room" -d 'Show one room'
complete -c msrpctl -n "__fish_msrpctl_needs_command" -f -a "participants" -d 'List the participants of a room'
complete -c msrpctl -n "__fish_msrpctl_needs_command" -f -a "kick" -d 'Remove a participant from a room'
complete -c msrpctl -n "__fish_msrpctl_needs_command" -f -a "close-room" -d 'Close a room and end the sessions in it'
complete -c msrpctl -n "__fish_msrpctl_needs_command" -f -a "message" -d 'Say something as the room itself'
complete -c msrpctl -n "__fish_msrpctl_needs_command" -f -a "chat" -d 'Join a chat room: lines that you type are sent, what others write is shown'
complete -c msrpctl -n "__fish_msrpctl_needs_command" -f -a "events" -d 'Show events as they happen'
complete -c msrpctl -n "__fish_msrpctl_needs_command" -f -a "trace" -d 'Show the MSRP of a room or of one session as it passes, or write it for Wireshark'
complete -c msrpctl -n "__fish_msrpctl_needs_command" -f -a "drain" -d 'Take no new rooms; those that run go on'
complete -c msrpctl -n "__fish_msrpctl_needs_command" -f -a "undrain" -d 'Take new rooms again'
complete -c msrpctl -n "__fish_msrpctl_needs_command" -f -a "reload" -d 'Have the node read its groups and certificates anew, as SIGHUP does'
complete -c msrpctl -n "__fish_msrpctl_needs_command" -f -a "check" -d 'Check a configuration file and the group documents that it names; needs no node'
complete -c msrpctl -n "__fish_msrpctl_needs_command" -f -a "completions" -d 'Print a completion script for a shell'
complete -c msrpctl -n "__fish_msrpctl_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand status" -l log -d 'What to log, for example "info,msrp_sip=debug"' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand status" -l admin -d 'The admin address of msrpd' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand status" -l socket -d 'The admin socket of msrpd, in the place of its address' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand status" -l token-file -d 'A file that holds a token of msrpd, and nothing else' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand status" -l ca -d 'The admin address speaks TLS, with a certificate that one of these signs. PEM' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand status" -l cert -d 'The certificate to show to the node, then those of its chain. PEM; needs --ca and --key' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand status" -l key -d 'The private key of --cert. PEM' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand status" -l json -d 'Print JSON: one document, or one a line where there are several'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand status" -s h -l help -d 'Print help'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand status" -s V -l version -d 'Print version'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand top" -l interval -d 'Seconds between two looks' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand top" -l log -d 'What to log, for example "info,msrp_sip=debug"' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand top" -l admin -d 'The admin address of msrpd' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand top" -l socket -d 'The admin socket of msrpd, in the place of its address' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand top" -l token-file -d 'A file that holds a token of msrpd, and nothing else' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand top" -l ca -d 'The admin address speaks TLS, with a certificate that one of these signs. PEM' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand top" -l cert -d 'The certificate to show to the node, then those of its chain. PEM; needs --ca and --key' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand top" -l key -d 'The private key of --cert. PEM' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand top" -l once -d 'Print one screen and end'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand top" -l json -d 'Print JSON: one document, or one a line where there are several'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand top" -s h -l help -d 'Print help'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand top" -s V -l version -d 'Print version'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand rooms" -l log -d 'What to log, for example "info,msrp_sip=debug"' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand rooms" -l admin -d 'The admin address of msrpd' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand rooms" -l socket -d 'The admin socket of msrpd, in the place of its address' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand rooms" -l token-file -d 'A file that holds a token of msrpd, and nothing else' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand rooms" -l ca -d 'The admin address speaks TLS, with a certificate that one of these signs. PEM' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand rooms" -l cert -d 'The certificate to show to the node, then those of its chain. PEM; needs --ca and --key' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand rooms" -l key -d 'The private key of --cert. PEM' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand rooms" -l json -d 'Print JSON: one document, or one a line where there are several'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand rooms" -s h -l help -d 'Print help'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand rooms" -s V -l version -d 'Print version'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand room" -l log -d 'What to log, for example "info,msrp_sip=debug"' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand room" -l admin -d 'The admin address of msrpd' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand room" -l socket -d 'The admin socket of msrpd, in the place of its address' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand room" -l token-file -d 'A file that holds a token of msrpd, and nothing else' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand room" -l ca -d 'The admin address speaks TLS, with a certificate that one of these signs. PEM' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand room" -l cert -d 'The certificate to show to the node, then those of its chain. PEM; needs --ca and --key' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand room" -l key -d 'The private key of --cert. PEM' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand room" -l json -d 'Print JSON: one document, or one a line where there are several'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand room" -s h -l help -d 'Print help'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand room" -s V -l version -d 'Print version'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand participants" -l log -d 'What to log, for example "info,msrp_sip=debug"' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand participants" -l admin -d 'The admin address of msrpd' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand participants" -l socket -d 'The admin socket of msrpd, in the place of its address' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand participants" -l token-file -d 'A file that holds a token of msrpd, and nothing else' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand participants" -l ca -d 'The admin address speaks TLS, with a certificate that one of these signs. PEM' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand participants" -l cert -d 'The certificate to show to the node, then those of its chain. PEM; needs --ca and --key' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand participants" -l key -d 'The private key of --cert. PEM' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand participants" -l json -d 'Print JSON: one document, or one a line where there are several'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand participants" -s h -l help -d 'Print help'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand participants" -s V -l version -d 'Print version'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand kick" -l log -d 'What to log, for example "info,msrp_sip=debug"' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand kick" -l admin -d 'The admin address of msrpd' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand kick" -l socket -d 'The admin socket of msrpd, in the place of its address' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand kick" -l token-file -d 'A file that holds a token of msrpd, and nothing else' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand kick" -l ca -d 'The admin address speaks TLS, with a certificate that one of these signs. PEM' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand kick" -l cert -d 'The certificate to show to the node, then those of its chain. PEM; needs --ca and --key' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand kick" -l key -d 'The private key of --cert. PEM' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand kick" -l json -d 'Print JSON: one document, or one a line where there are several'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand kick" -s h -l help -d 'Print help'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand kick" -s V -l version -d 'Print version'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand close-room" -l log -d 'What to log, for example "info,msrp_sip=debug"' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand close-room" -l admin -d 'The admin address of msrpd' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand close-room" -l socket -d 'The admin socket of msrpd, in the place of its address' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand close-room" -l token-file -d 'A file that holds a token of msrpd, and nothing else' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand close-room" -l ca -d 'The admin address speaks TLS, with a certificate that one of these signs. PEM' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand close-room" -l cert -d 'The certificate to show to the node, then those of its chain. PEM; needs --ca and --key' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand close-room" -l key -d 'The private key of --cert. PEM' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand close-room" -l json -d 'Print JSON: one document, or one a line where there are several'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand close-room" -s h -l help -d 'Print help'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand close-room" -s V -l version -d 'Print version'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand message" -l to -d 'Only to these participants, with commas between' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand message" -l from -d 'The name that the message shows as its sender' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand message" -l type -d 'The media type of the text' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand message" -l log -d 'What to log, for example "info,msrp_sip=debug"' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand message" -l admin -d 'The admin address of msrpd' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand message" -l socket -d 'The admin socket of msrpd, in the place of its address' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand message" -l token-file -d 'A file that holds a token of msrpd, and nothing else' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand message" -l ca -d 'The admin address speaks TLS, with a certificate that one of these signs. PEM' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand message" -l cert -d 'The certificate to show to the node, then those of its chain. PEM; needs --ca and --key' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand message" -l key -d 'The private key of --cert. PEM' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand message" -l json -d 'Print JSON: one document, or one a line where there are several'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand message" -s h -l help -d 'Print help'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand message" -s V -l version -d 'Print version'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand chat" -l as -d 'Your address, for example sip:alice@localhost' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand chat" -l name -d 'The name that others see' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand chat" -l server -d 'The SIP server' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand chat" -l transport -d 'How SIP gets there' -r -f -a "udp\t'UDP'
tcp\t'TCP'"
complete -c msrpctl -n "__fish_msrpctl_using_subcommand chat" -l log -d 'What to log, for example "info,msrp_sip=debug"' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand chat" -l admin -d 'The admin address of msrpd' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand chat" -l socket -d 'The admin socket of msrpd, in the place of its address' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand chat" -l token-file -d 'A file that holds a token of msrpd, and nothing else' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand chat" -l ca -d 'The admin address speaks TLS, with a certificate that one of these signs. PEM' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand chat" -l cert -d 'The certificate to show to the node, then those of its chain. PEM; needs --ca and --key' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand chat" -l key -d 'The private key of --cert. PEM' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand chat" -l json -d 'Print JSON: one document, or one a line where there are several'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand chat" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand chat" -s V -l version -d 'Print version'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand events" -l types -d 'Only events of these types, with commas between, for example participant_lost' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand events" -l rooms -d 'Only events of these rooms, with commas between' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand events" -l cursor -d 'Go on behind this cursor, which an event had; "state" tells first what runs' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand events" -l log -d 'What to log, for example "info,msrp_sip=debug"' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand events" -l admin -d 'The admin address of msrpd' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand events" -l socket -d 'The admin socket of msrpd, in the place of its address' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand events" -l token-file -d 'A file that holds a token of msrpd, and nothing else' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand events" -l ca -d 'The admin address speaks TLS, with a certificate that one of these signs. PEM' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand events" -l cert -d 'The certificate to show to the node, then those of its chain. PEM; needs --ca and --key' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand events" -l key -d 'The private key of --cert. PEM' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand events" -l json -d 'Print JSON: one document, or one a line where there are several'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand events" -s h -l help -d 'Print help'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand events" -s V -l version -d 'Print version'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand trace" -l pcap -d 'Write pcapng, in clear, for Wireshark and tshark; "-" is stdout' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand trace" -l hep -d 'Send HEP version 3 by UDP to a collector' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand trace" -l count -d 'End after so many frames' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand trace" -l log -d 'What to log, for example "info,msrp_sip=debug"' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand trace" -l admin -d 'The admin address of msrpd' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand trace" -l socket -d 'The admin socket of msrpd, in the place of its address' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand trace" -l token-file -d 'A file that holds a token of msrpd, and nothing else' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand trace" -l ca -d 'The admin address speaks TLS, with a certificate that one of these signs. PEM' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand trace" -l cert -d 'The certificate to show to the node, then those of its chain. PEM; needs --ca and --key' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand trace" -l key -d 'The private key of --cert. PEM' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand trace" -l headers -d 'Show header sections only, no bodies'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand trace" -l json -d 'Print JSON: one document, or one a line where there are several'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand trace" -s h -l help -d 'Print help'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand trace" -s V -l version -d 'Print version'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand drain" -l deadline -d 'Seconds after which msrpd ends what is left, and itself; it ends sooner when nobody is left. Without it nothing is ended' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand drain" -l message -d 'What every room is told, as a message of the room' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand drain" -l log -d 'What to log, for example "info,msrp_sip=debug"' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand drain" -l admin -d 'The admin address of msrpd' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand drain" -l socket -d 'The admin socket of msrpd, in the place of its address' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand drain" -l token-file -d 'A file that holds a token of msrpd, and nothing else' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand drain" -l ca -d 'The admin address speaks TLS, with a certificate that one of these signs. PEM' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand drain" -l cert -d 'The certificate to show to the node, then those of its chain. PEM; needs --ca and --key' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand drain" -l key -d 'The private key of --cert. PEM' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand drain" -l sessions -d 'Refuse new participants as well'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand drain" -l wait -d 'Wait until nobody takes part any more; the status is 1 when the deadline cut somebody off'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand drain" -l json -d 'Print JSON: one document, or one a line where there are several'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand drain" -s h -l help -d 'Print help'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand drain" -s V -l version -d 'Print version'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand undrain" -l log -d 'What to log, for example "info,msrp_sip=debug"' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand undrain" -l admin -d 'The admin address of msrpd' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand undrain" -l socket -d 'The admin socket of msrpd, in the place of its address' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand undrain" -l token-file -d 'A file that holds a token of msrpd, and nothing else' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand undrain" -l ca -d 'The admin address speaks TLS, with a certificate that one of these signs. PEM' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand undrain" -l cert -d 'The certificate to show to the node, then those of its chain. PEM; needs --ca and --key' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand undrain" -l key -d 'The private key of --cert. PEM' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand undrain" -l json -d 'Print JSON: one document, or one a line where there are several'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand undrain" -s h -l help -d 'Print help'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand undrain" -s V -l version -d 'Print version'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand reload" -l log -d 'What to log, for example "info,msrp_sip=debug"' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand reload" -l admin -d 'The admin address of msrpd' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand reload" -l socket -d 'The admin socket of msrpd, in the place of its address' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand reload" -l token-file -d 'A file that holds a token of msrpd, and nothing else' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand reload" -l ca -d 'The admin address speaks TLS, with a certificate that one of these signs. PEM' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand reload" -l cert -d 'The certificate to show to the node, then those of its chain. PEM; needs --ca and --key' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand reload" -l key -d 'The private key of --cert. PEM' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand reload" -l json -d 'Print JSON: one document, or one a line where there are several'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand reload" -s h -l help -d 'Print help'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand reload" -s V -l version -d 'Print version'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand check" -l config -d 'The configuration file' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand check" -l log -d 'What to log, for example "info,msrp_sip=debug"' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand check" -l admin -d 'The admin address of msrpd' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand check" -l socket -d 'The admin socket of msrpd, in the place of its address' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand check" -l token-file -d 'A file that holds a token of msrpd, and nothing else' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand check" -l ca -d 'The admin address speaks TLS, with a certificate that one of these signs. PEM' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand check" -l cert -d 'The certificate to show to the node, then those of its chain. PEM; needs --ca and --key' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand check" -l key -d 'The private key of --cert. PEM' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand check" -l json -d 'Print JSON: one document, or one a line where there are several'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand check" -s h -l help -d 'Print help'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand check" -s V -l version -d 'Print version'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand completions" -l log -d 'What to log, for example "info,msrp_sip=debug"' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand completions" -l admin -d 'The admin address of msrpd' -r
complete -c msrpctl -n "__fish_msrpctl_using_subcommand completions" -l socket -d 'The admin socket of msrpd, in the place of its address' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand completions" -l token-file -d 'A file that holds a token of msrpd, and nothing else' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand completions" -l ca -d 'The admin address speaks TLS, with a certificate that one of these signs. PEM' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand completions" -l cert -d 'The certificate to show to the node, then those of its chain. PEM; needs --ca and --key' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand completions" -l key -d 'The private key of --cert. PEM' -r -F
complete -c msrpctl -n "__fish_msrpctl_using_subcommand completions" -l json -d 'Print JSON: one document, or one a line where there are several'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand completions" -s h -l help -d 'Print help'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand completions" -s V -l version -d 'Print version'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand help; and not __fish_seen_subcommand_from status top rooms room participants kick close-room message chat events trace drain undrain reload check completions help" -f -a "status" -d 'Show whether a node is ready, and a few sums'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand help; and not __fish_seen_subcommand_from status top rooms room participants kick close-room message chat events trace drain undrain reload check completions help" -f -a "top" -d 'Show what a node does, live; q ends'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand help; and not __fish_seen_subcommand_from status top rooms room participants kick close-room message chat events trace drain undrain reload check completions help" -f -a "rooms" -d 'List the rooms that run'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand help; and not __fish_seen_subcommand_from status top rooms room participants kick close-room message chat events trace drain undrain reload check completions help" -f -a "room" -d 'Show one room'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand help; and not __fish_seen_subcommand_from status top rooms room participants kick close-room message chat events trace drain undrain reload check completions help" -f -a "participants" -d 'List the participants of a room'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand help; and not __fish_seen_subcommand_from status top rooms room participants kick close-room message chat events trace drain undrain reload check completions help" -f -a "kick" -d 'Remove a participant from a room'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand help; and not __fish_seen_subcommand_from status top rooms room participants kick close-room message chat events trace drain undrain reload check completions help" -f -a "close-room" -d 'Close a room and end the sessions in it'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand help; and not __fish_seen_subcommand_from status top rooms room participants kick close-room message chat events trace drain undrain reload check completions help" -f -a "message" -d 'Say something as the room itself'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand help; and not __fish_seen_subcommand_from status top rooms room participants kick close-room message chat events trace drain undrain reload check completions help" -f -a "chat" -d 'Join a chat room: lines that you type are sent, what others write is shown'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand help; and not __fish_seen_subcommand_from status top rooms room participants kick close-room message chat events trace drain undrain reload check completions help" -f -a "events" -d 'Show events as they happen'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand help; and not __fish_seen_subcommand_from status top rooms room participants kick close-room message chat events trace drain undrain reload check completions help" -f -a "trace" -d 'Show the MSRP of a room or of one session as it passes, or write it for Wireshark'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand help; and not __fish_seen_subcommand_from status top rooms room participants kick close-room message chat events trace drain undrain reload check completions help" -f -a "drain" -d 'Take no new rooms; those that run go on'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand help; and not __fish_seen_subcommand_from status top rooms room participants kick close-room message chat events trace drain undrain reload check completions help" -f -a "undrain" -d 'Take new rooms again'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand help; and not __fish_seen_subcommand_from status top rooms room participants kick close-room message chat events trace drain undrain reload check completions help" -f -a "reload" -d 'Have the node read its groups and certificates anew, as SIGHUP does'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand help; and not __fish_seen_subcommand_from status top rooms room participants kick close-room message chat events trace drain undrain reload check completions help" -f -a "check" -d 'Check a configuration file and the group documents that it names; needs no node'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand help; and not __fish_seen_subcommand_from status top rooms room participants kick close-room message chat events trace drain undrain reload check completions help" -f -a "completions" -d 'Print a completion script for a shell'
complete -c msrpctl -n "__fish_msrpctl_using_subcommand help; and not __fish_seen_subcommand_from status top rooms room participants kick close-room message chat events trace drain undrain reload check completions help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'

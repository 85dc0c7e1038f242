//! What a shard reads in one turn, on a kernel of the machine and turn by turn.
#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is missing"
)]

mod sends;

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::Arc;

use futures_channel::oneshot;
use msrp_control::{
    Addressing, Command, Engine as _, LocalMedia, Media, ParticipantConfig, ParticipantId, Reply,
    RoomConfig, RoomId,
};
use msrp_shard::limits::{
    BOUNDED_REQUESTS_MAX, READ_OCTETS_DENSE, TURN_ARRIVALS_MAX, TURN_REQUESTS_MAX,
    TURN_REQUESTS_OF_ALL_MAX,
};
use msrp_shard::simulation::{Run, SteppedNode};
use msrp_shard::{EngineConfig, EngineLimits, ListenerConfig, Rules};
use ring_io::{Config, Want};
use sends::{Batches, Recorded};

/// A node of one shard that takes a turn when it is told to.
struct Node {
    stepped: SteppedNode<Recorded>,
    batches: Batches,
    address: SocketAddr,
}

impl Node {
    fn new(want: Want) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let config = EngineConfig {
            want,
            shards: 1,
            pin_shards: false,
            listeners: vec![ListenerConfig {
                name: "real".to_owned(),
                bind: address,
                advertise: None,
                transport: Default::default(),
            }],
            limits: EngineLimits::default(),
            ask_recipients: false,
            rules: Rules::default(),
        };
        let (io, _) = ring_io::open(want, &Config::default()).unwrap();
        let batches = Batches::default();
        let io = Recorded {
            io,
            batches: Rc::clone(&batches),
        };
        let run = Arc::new(Run::new(1));
        let stepped = SteppedNode::new(&config, &run, vec![(io, vec![listener])]).unwrap();
        Self {
            stepped,
            batches,
            address,
        }
    }

    fn turn(&mut self) {
        self.batches.borrow_mut().clear();
        self.stepped.step(0).unwrap();
    }

    fn connections(&self) -> u64 {
        let samples = self.stepped.engine().samples();
        let sample = samples.iter().find(|s| s.name == "msrp_connections");
        sample.unwrap().value
    }

    fn carry_out(&mut self, command: Command) -> Reply {
        let (reply, mut answer) = oneshot::channel();
        self.stepped.engine().submit(command, reply);
        loop {
            self.turn();
            if let Some(answer) = answer.try_recv().unwrap() {
                return answer.unwrap();
            }
        }
    }

    fn open_room(&mut self, room: &str) {
        let config = RoomConfig {
            uris: vec![format!("sip:{room}@example.com")],
            message_octets_max: None,
            private_messages: true,
            nicknames: true,
            addressing: Addressing::Oma,
        };
        let room = RoomId::new(room).unwrap();
        self.carry_out(Command::CreateRoom { room, config });
    }

    /// So many people, each alone in a room.
    fn talkers(&mut self, count: usize) -> Vec<Member> {
        (0..count)
            .map(|number| {
                let name = format!("talker{number}");
                self.open_room(&name);
                self.join(&name, &name)
            })
            .collect()
    }

    /// Puts somebody into a room, who binds its session.
    fn join(&mut self, room: &str, name: &str) -> Member {
        let own_path = format!("msrp://127.0.0.1:9/{name};tcp");
        let offer = format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=message 9 TCP/MSRP *\r\n\
             a=accept-types:message/cpim\r\na=accept-wrapped-types:*\r\na=path:{own_path}\r\n"
        );
        let entity = format!("sip:{name}@example.com");
        let config = ParticipantConfig {
            identities: vec![entity.clone()],
            entity,
            is_hidden: false,
            may_send_private: true,
            shows_release: true,
            charging: None,
        };
        let Reply::Sdp(answer) = self.carry_out(Command::AddParticipant {
            room: RoomId::new(room).unwrap(),
            participant: ParticipantId::new(name).unwrap(),
            config,
            media: Media::Offer(offer),
            local: LocalMedia::default(),
        }) else {
            unreachable!("an offer is answered")
        };
        let path = answer.lines().find_map(|line| line.strip_prefix("a=path:"));
        let socket = TcpStream::connect(self.address).unwrap();
        socket.set_nonblocking(true).unwrap();
        let mut member = Member {
            socket,
            to: path.unwrap().to_owned(),
            from: own_path,
            entity: format!("sip:{name}@example.com"),
            room: format!("sip:{room}@example.com"),
            said: 0,
            heard: String::new(),
        };
        // A SEND without body binds.
        member.write(&member.request("bind", "", "$"));
        while member.count("bind 200") == 0 {
            self.turn();
        }
        member
    }
}

/// Somebody in a room.
struct Member {
    socket: TcpStream,
    to: String,
    from: String,
    entity: String,
    room: String,
    said: usize,
    heard: String,
}

impl Member {
    fn request(&self, id: &str, body: &str, flag: &str) -> String {
        let (to, from) = (&self.to, &self.from);
        format!(
            "MSRP {id} SEND\r\nTo-Path: {to}\r\nFrom-Path: {from}\r\nMessage-ID: m{id}\r\n{body}-------{id}{flag}\r\n"
        )
    }

    /// Says so many short things at once.
    fn say(&mut self, count: usize) {
        let wrapper = format!(
            "From: <{}>\r\nTo: <{}>\r\n\r\nContent-Type: text/plain\r\n\r\nHello",
            self.entity, self.room
        );
        let octets = wrapper.len();
        let body = format!(
            "Byte-Range: 1-{octets}/{octets}\r\nContent-Type: message/cpim\r\n\r\n{wrapper}\r\n"
        );
        let first = self.said;
        self.said += count;
        let all: String = (first..self.said)
            .map(|number| self.request(&format!("id{number:05}"), &body, "$"))
            .collect();
        self.write(&all);
    }

    fn write(&mut self, text: &str) {
        // Less than what the kernel keeps for the other side, so that all of it is there at once.
        self.socket.write_all(text.as_bytes()).unwrap();
    }

    /// How often this has come since the last look, in whole.
    fn count(&mut self, wanted: &str) -> usize {
        let mut octets = [0; 65_536];
        loop {
            match self.socket.read(&mut octets) {
                Ok(0) => unreachable!("the node closed the connection"),
                Ok(count) => self.heard += str::from_utf8(&octets[..count]).unwrap(),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    break;
                }
            }
        }
        let count = self.heard.matches(wanted).count();
        self.heard.clear();
        count
    }
}

/// How many answers have come to them.
fn heard_by(members: &mut [Member]) -> usize {
    let counts = members.iter_mut().map(|member| member.count(" 200 OK"));
    counts.sum()
}

#[test]
fn those_who_say_much_share_one_budget_behind_the_others_whose_words_have_left() {
    const TALKERS: usize = 4;
    const EACH: usize = 600;
    for want in [Want::Epoll, Want::Auto] {
        let mut node = Node::new(want);
        node.open_room("quiet");
        let mut ann = node.join("quiet", "ann");
        let mut ben = node.join("quiet", "ben");
        let mut talkers = node.talkers(TALKERS);
        talkers.iter_mut().for_each(|talker| talker.say(EACH));
        // Everybody has more than its budget, and the node knows when it has read twice.
        let mut answered = 0;
        for _ in 0..2 {
            node.turn();
            answered += heard_by(&mut talkers);
        }
        // A read that was begun is read to its end.
        let octets_each = talkers[0].request("id00000", &"x".repeat(150), "$").len();
        let most = BOUNDED_REQUESTS_MAX + READ_OCTETS_DENSE / octets_each + 1;
        let mut turns = 0;
        while answered < TALKERS * EACH {
            ann.say(1);
            node.turn();
            assert_eq!(ben.count("Hello"), 1, "turn {turns} with {want:?}");
            // Her answer and his copy leave before those who say much are read.
            let batches = node.batches.borrow().clone();
            assert_eq!(batches[0], 2, "{batches:?} in turn {turns} with {want:?}");
            let new = heard_by(&mut talkers);
            assert!(new <= most, "{new} of {most} in turn {turns} with {want:?}");
            (answered, turns) = (answered + new, turns + 1);
        }
        assert_eq!(answered, TALKERS * EACH);
    }
}

#[test]
fn those_for_whom_a_turn_was_too_short_are_the_first_in_the_next() {
    const EACH: usize = TURN_REQUESTS_MAX - 4;
    const TALKERS: usize = TURN_REQUESTS_OF_ALL_MAX / EACH + 8;
    // io_uring hands over less at a time than a turn may have.
    let mut node = Node::new(Want::Epoll);
    let mut talkers = node.talkers(TALKERS);
    let mut owed = [0; TALKERS];
    let mut left = Vec::new();
    for turn in 0..6 {
        // Whoever has its answers says as much again.
        for (talker, owed) in talkers.iter_mut().zip(&mut owed) {
            if *owed == 0 {
                talker.say(EACH);
                *owed = EACH;
            }
        }
        node.turn();
        for (talker, owed) in talkers.iter_mut().zip(&mut owed) {
            *owed -= talker.count(" 200 OK");
        }
        for late in std::mem::take(&mut left) {
            assert_eq!(owed[late], 0, "talker {late} in turn {turn}");
        }
        left = (0..TALKERS).filter(|index| owed[*index] > 0).collect();
        assert!(!left.is_empty() && left.len() < TALKERS, "turn {turn}");
    }
}

#[test]
fn crowd_at_the_door_comes_and_goes_a_few_in_a_turn_while_others_talk() {
    const CROWD: u64 = 100;
    const FEW: u64 = TURN_ARRIVALS_MAX as u64;
    for want in [Want::Epoll, Want::Auto] {
        let mut node = Node::new(want);
        node.open_room("quiet");
        let mut ann = node.join("quiet", "ann");
        let mut ben = node.join("quiet", "ben");
        let before = node.connections();
        let crowd: Vec<TcpStream> = (0..CROWD)
            .map(|_| TcpStream::connect(node.address).unwrap())
            .collect();
        // io_uring does some twenty things in the order in which they came each time it is asked.
        let turns_max = CROWD / 20 + 1;
        let mut talk = |node: &mut Node| {
            ann.say(1);
            let is_heard = (0..turns_max).any(|_| {
                let inside = node.connections();
                node.turn();
                let moved = node.connections().abs_diff(inside);
                assert!(moved <= FEW, "{moved} with {want:?}");
                ben.count("Hello") == 1
            });
            assert!(is_heard, "{want:?}");
        };
        while node.connections() < before + CROWD {
            talk(&mut node);
        }
        drop(crowd);
        while node.connections() > before {
            talk(&mut node);
        }
    }
}

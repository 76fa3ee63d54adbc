use super::*;
use proptest::prelude::*;
use std::net::TcpListener;
use std::thread::JoinHandle;

/// For what is over when so many bytes have come, however slow the machine is.
const AT_LENGTH: Duration = Duration::from_secs(120);
const SOON: Duration = Duration::from_secs(20);

/// A server that says `answer`, piece by piece, to whoever connects first.
fn server(pieces: Vec<Vec<u8>>, pause: Duration) -> (ServerEndpoint, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let body = move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 1024]);
        for piece in pieces {
            if stream.write_all(&piece).is_err() {
                return;
            }
            std::thread::sleep(pause);
        }
    };
    (ServerEndpoint::Tcp { host: "127.0.0.1".to_owned(), port }, std::thread::spawn(body))
}

fn ask(
    door: &ServerEndpoint,
    count: usize,
    patience: Duration,
) -> Result<Vec<RespReply>, RedisFault> {
    let end = Instant::now() + patience;
    RedisConnection::open(door, end)?.exchange(&vec![vec![b"PING".to_vec()]; count], end)
}

fn text(text: &str) -> RespReply {
    RespReply::Text(text.to_owned())
}

#[test]
fn answers_of_every_kind_are_read_however_they_are_cut() {
    let answer = b"+OK\r\n$5\r\na\r\nbc\r\n*3\r\n:7\r\n$-1\r\n*0\r\n-ERR no\r\n";
    let cut: Vec<Vec<u8>> = answer.iter().map(|byte| vec![*byte]).collect();
    for pieces in [vec![answer.to_vec()], cut] {
        let (door, _server) = server(pieces, Duration::ZERO);
        let list = RespReply::List(vec![text("7"), RespReply::Nil, RespReply::List(vec![])]);
        let expected = [text("OK"), text("a\r\nbc"), list, RespReply::Error("ERR no".to_owned())];
        assert_eq!(ask(&door, 4, SOON).unwrap(), expected);
    }
}

#[test]
fn store_3_the_time_limit_is_for_the_whole_answer() {
    // Each byte comes in time, and the answer never ends.
    let drip: Vec<Vec<u8>> = (0..600).map(|_| vec![b'+']).collect();
    let (door, _server) = server(drip, Duration::from_millis(50));
    let start = Instant::now();
    assert!(matches!(ask(&door, 1, Duration::from_millis(300)), Err(RedisFault::Late)));
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn t9_answers_of_gigabytes_are_given_up() {
    let (door, _server) = server(vec![b"$9000000000\r\n".to_vec()], Duration::ZERO);
    assert!(matches!(ask(&door, 1, AT_LENGTH), Err(RedisFault::TooLarge)));
    let (door, _server) = server(vec![vec![b'+'; 1 << 20]; 64], Duration::ZERO);
    assert!(matches!(ask(&door, 1, AT_LENGTH), Err(RedisFault::TooLarge)));
    let (door, _server) = server(vec![b"*1\r\n".repeat(100)], Duration::ZERO);
    assert!(matches!(ask(&door, 1, AT_LENGTH), Err(RedisFault::TooLarge)));
    let endless = std::iter::once(b"*9000000000\r\n".to_vec());
    let endless = endless.chain(vec![b":1\r\n".repeat(1 << 18); 64]).collect();
    let (door, _server) = server(endless, Duration::ZERO);
    assert!(matches!(ask(&door, 1, AT_LENGTH), Err(RedisFault::TooLarge)));
}

#[test]
fn what_is_not_redis_is_told() {
    for said in [
        "HTTP/1.1 400 Bad Request\r\n",
        "SSH-2.0-x\r\n",
        "+OK\n",
        "$x\r\n",
        ":x\r\n",
        "$2\r\nOKOK",
        "\u{15}\u{3}",
    ] {
        let (door, _server) = server(vec![said.as_bytes().to_vec()], Duration::from_millis(200));
        let outcome = ask(&door, 1, SOON);
        assert!(matches!(outcome, Err(RedisFault::NotRedis)), "{said:?}: {outcome:?}");
    }
    // And what was not asked for.
    let (door, _server) = server(vec![b"+OK\r\n+OK\r\n".to_vec()], Duration::ZERO);
    assert!(matches!(ask(&door, 1, SOON), Err(RedisFault::NotRedis)));
}

/// What is read of `bytes`, if they come in pieces of `size`, and nothing after them.
#[cfg(unix)]
fn read(bytes: &[u8], size: usize, count: usize) -> Result<Vec<RespReply>, RedisFault> {
    let (own, other) = std::os::unix::net::UnixStream::pair().unwrap();
    let mut line = RedisConnection(RedisStream::Unix(own));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            bytes.chunks(size).all(|piece| (&other).write_all(piece).is_ok());
            let _ = other.shutdown(std::net::Shutdown::Write);
        });
        line.exchange(&vec![vec![b"PING".to_vec()]; count], Instant::now() + SOON)
    })
}

fn reply() -> impl Strategy<Value = RespReply> {
    let line = "[^\r\n]{0,20}";
    let leaf = prop_oneof![
        line.prop_map(RespReply::Error),
        Just(RespReply::Nil),
        any::<String>().prop_map(RespReply::Text),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop::collection::vec(inner, 0..6).prop_map(RespReply::List)
    })
}

fn written(reply: &RespReply) -> Vec<u8> {
    match reply {
        RespReply::Error(words) => format!("-{words}\r\n").into_bytes(),
        RespReply::Nil => b"$-1\r\n".to_vec(),
        RespReply::Text(text) => format!("${}\r\n{text}\r\n", text.len()).into_bytes(),
        RespReply::List(list) => {
            let head = format!("*{}\r\n", list.len()).into_bytes();
            [head].into_iter().chain(list.iter().map(written)).flatten().collect()
        }
    }
}

#[cfg(unix)]
proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_answers_are_read_as_they_were_written_in_whatever_pieces(
        replies in prop::collection::vec(reply(), 1..4),
        size in 1..40usize,
    ) {
        let bytes: Vec<u8> = replies.iter().flat_map(written).collect();
        prop_assert_eq!(read(&bytes, size, replies.len()).unwrap(), replies);
    }

    #[test]
    fn no_bytes_do_harm(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..64),
            "[+:$*0-9a\r\n-]{0,64}".prop_map(String::into_bytes),
        ],
        size in 1..40usize,
    ) {
        let _ = read(&bytes, size, 2);
    }
}

#[test]
fn a_question_has_room_for_all_of_its_words_and_their_lines() {
    assert_eq!(room(&vec![]), LINE);
    assert_eq!(room(&vec![b"a".to_vec(), b"bcd".to_vec()]), 3 * LINE + 4);
    let asked = [vec![b"AUTH".to_vec(), vec![b'x'; 70_000]], vec![Vec::new(); 300]];
    let text = encoded(&asked);
    assert!(text.len() <= asked.iter().map(room).sum());
    assert!(text.starts_with(b"*2\r\n$4\r\nAUTH\r\n$70000\r\nxxx"));
}

#[test]
fn a_connection_is_kept_while_it_is_quiet_and_not_once_something_unasked_is_there() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let door = ServerEndpoint::Tcp {
        host: "127.0.0.1".to_owned(),
        port: listener.local_addr().unwrap().port(),
    };
    let end = Instant::now() + SOON;
    for unasked in [&b"+HELLO\r\n"[..], b""] {
        let mut line = RedisConnection::open(&door, end).unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        assert!(!line.is_stale());
        // Looking has not changed that an answer is waited for.
        let answer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            stream.write_all(b"+OK\r\n").unwrap();
            stream
        });
        assert_eq!(line.exchange(&[vec![b"PING".to_vec()]], end).unwrap(), [text("OK")]);
        let mut stream = answer.join().unwrap();
        assert!(!line.is_stale());
        match unasked {
            b"" => drop(stream),
            unasked => stream.write_all(unasked).unwrap(),
        }
        while !line.is_stale() {
            assert!(Instant::now() < end);
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_signal_is_no_end_of_a_connection_and_any_other_error_is() {
    let (door, _server) = server(Vec::new(), Duration::ZERO);
    let end = Instant::now() + SOON;
    let RedisConnection(mut stream) = RedisConnection::open(&door, end).unwrap();
    let mut outcomes = [Err(io::ErrorKind::Interrupted.into()), Ok(3)].into_iter();
    assert!(matches!(stream.until(end, |_| outcomes.next().unwrap()), Ok(3)));
    let soon = Instant::now() + Duration::from_millis(300);
    let reset = stream.until(soon, |_| Err(io::ErrorKind::ConnectionReset.into()));
    assert!(matches!(reset, Err(RedisFault::Broken)));
}

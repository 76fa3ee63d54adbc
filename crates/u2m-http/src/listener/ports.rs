//! Chooses the port to listen on, and binds it for both IPv4 and IPv6.

use super::ListenError;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::ops::RangeInclusive;

/// The ports that Databricks has registered for command line programs.
const REGISTERED: RangeInclusive<u16> = 8020..=8040;

/// How often to ask the operating system for a port that is free for both IPv4 and IPv6.
const TRIES: usize = 32;

/// The ports to try, in order. By default 8020 to 8040, which Databricks has registered for command
/// line programs.
///
/// ```
/// use u2m_http::Ports;
/// assert_eq!(Ports::default().first(), 8020);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ports {
    range: RangeInclusive<u16>,
}

impl Default for Ports {
    fn default() -> Self {
        Self { range: REGISTERED }
    }
}

impl Ports {
    /// A single port. Zero lets the operating system choose a free one, for authorization servers
    /// that accept any loopback port (RFC 8252 section 7.3), and for tests.
    ///
    /// ```
    /// assert_eq!(u2m_http::Ports::fixed(9000).first(), 9000);
    /// ```
    pub fn fixed(port: u16) -> Self {
        Self { range: port..=port }
    }

    /// A range of ports, including both ends.
    ///
    /// ```
    /// assert_eq!(u2m_http::Ports::range(9000..=9010).first(), 9000);
    /// ```
    pub fn range(range: RangeInclusive<u16>) -> Self {
        Self { range }
    }

    /// Returns the first port. A login that only reads a pasted address, without a listener, names
    /// it in the redirect URI.
    ///
    /// ```
    /// assert_eq!(u2m_http::Ports::default().first(), 8020);
    /// ```
    pub fn first(&self) -> u16 {
        *self.range.start()
    }

    /// Binds the first port that is free for both IPv4 and IPv6. A port that another program uses
    /// for either one is skipped: the browser chooses between the two, and could deliver the code
    /// to that program (T1).
    pub(super) fn take(&self) -> Result<(u16, Vec<TcpListener>), ListenError> {
        if self.range == (0..=0) {
            return take_any();
        }
        first_of(self.range.clone(), take_both)
    }
}

fn first_of<S>(
    range: RangeInclusive<u16>,
    mut take: impl FnMut(u16) -> io::Result<S>,
) -> Result<(u16, S), ListenError> {
    let mut first_other = None;
    for port in range.clone() {
        match take(port) {
            Ok(sockets) => return Ok((port, sockets)),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            // Windows reserves individual ports, so one refusal says nothing about the next port.
            Err(error) => first_other = first_other.or(Some(ListenError::Bind(port, error))),
        }
    }
    let all_taken = ListenError::AllTaken { first: *range.start(), last: *range.end() };
    Err(first_other.unwrap_or(all_taken))
}

fn take_any() -> Result<(u16, Vec<TcpListener>), ListenError> {
    take_pair(open_any, |port| open((Ipv6Addr::LOCALHOST, port).into()))
}

/// Finds a port that is free for one address family and for the other. If the other one is in use, tries again.
fn take_pair<S>(
    mut any: impl FnMut() -> io::Result<(u16, S)>,
    mut same: impl FnMut(u16) -> io::Result<Option<S>>,
) -> Result<(u16, Vec<S>), ListenError> {
    let mut last = ListenError::AllTaken { first: 0, last: 0 };
    for _ in 0..TRIES {
        let (port, four) = any().map_err(|error| ListenError::Bind(0, error))?;
        match same(port) {
            Ok(six) => return Ok((port, [Some(four), six].into_iter().flatten().collect())),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => last = ListenError::Bind(port, error),
        }
    }
    Err(last)
}

fn open_any() -> io::Result<(u16, TcpListener)> {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_nonblocking(true)?;
    Ok((socket.local_addr()?.port(), socket))
}

fn take_both(port: u16) -> io::Result<Vec<TcpListener>> {
    let four = open((Ipv4Addr::LOCALHOST, port).into())?;
    let six = open((Ipv6Addr::LOCALHOST, port).into())?;
    let sockets: Vec<_> = [four, six].into_iter().flatten().collect();
    if sockets.is_empty() { Err(ErrorKind::AddrNotAvailable.into()) } else { Ok(sockets) }
}

/// Opens a listening socket, or returns `None` if the machine does not have the address family. The
/// standard library closes it on exec, sets `SO_REUSEADDR` only on Unix (where it does not allow
/// two listeners at once), and never sets `SO_REUSEPORT`.
fn open(address: SocketAddr) -> io::Result<Option<TcpListener>> {
    match TcpListener::bind(address) {
        Ok(socket) => socket.set_nonblocking(true).map(|()| Some(socket)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Checks for `EADDRNOTAVAIL`, and for `EAFNOSUPPORT`, which has no kind of its own.
fn is_absent(error: &io::Error) -> bool {
    #[cfg(target_os = "linux")]
    const NO_FAMILY: i32 = 97;
    #[cfg(windows)]
    const NO_FAMILY: i32 = 10047;
    #[cfg(not(any(target_os = "linux", windows)))]
    const NO_FAMILY: i32 = 47;
    error.kind() == ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(NO_FAMILY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a18_only_loopback_addresses_are_bound() {
        let (port, sockets) = Ports::fixed(0).take().unwrap();
        for socket in &sockets {
            let address = socket.local_addr().unwrap();
            assert!(address.ip().is_loopback() && address.port() == port, "{address}");
            assert!(matches!(socket.accept(), Err(error) if error.kind() == ErrorKind::WouldBlock));
        }
        assert!(sockets[0].local_addr().unwrap().is_ipv4());
    }

    #[test]
    fn a_range_begins_with_its_first_port() {
        assert_eq!((Ports::fixed(9000).first(), Ports::range(9001..=9005).first()), (9000, 9001));
    }

    #[test]
    fn a_port_that_is_in_use_says_nothing_and_one_that_is_refused_is_told_last() {
        let (used, refused) = (ErrorKind::AddrInUse, ErrorKind::PermissionDenied);
        let taken = |outcomes: [Option<ErrorKind>; 3]| {
            first_of(7..=9, |port| match outcomes[usize::from(port - 7)] {
                Some(kind) => Err(io::Error::from(kind)),
                None => Ok(port),
            })
        };
        assert!(matches!(taken([Some(used), Some(refused), None]), Ok((9, 9))));
        let all = taken([Some(used); 3]);
        assert!(matches!(all, Err(ListenError::AllTaken { first: 7, last: 9 })), "{all:?}");
        let told = taken([Some(used), Some(refused), Some(used)]);
        let Err(ListenError::Bind(8, error)) = told else { panic!("{told:?}") };
        assert_eq!(error.kind(), refused);
    }

    #[test]
    fn an_address_that_this_machine_has_not_is_no_error() {
        assert!(open(([192, 0, 2, 1], 0).into()).unwrap().is_none());
        assert!(open((Ipv4Addr::LOCALHOST, 0).into()).unwrap().is_some());
    }

    /// Takes a pair of sockets. The second family responds with the entries of a list, and repeats the last.
    fn pair(
        second: &[Result<Option<u8>, ErrorKind>],
    ) -> (Result<(u16, Vec<u8>), ListenError>, u16) {
        let (mut port, mut asked) = (0, 0);
        let any = || {
            port += 1;
            Ok((port, 4))
        };
        let taken = take_pair(any, |_| {
            asked += 1;
            second[(asked - 1).min(second.len() - 1)].map_err(io::Error::from)
        });
        (taken, port)
    }

    #[test]
    fn a_port_that_the_other_family_has_taken_is_tried_no_longer() {
        let in_use = Err(ErrorKind::AddrInUse);
        let (taken, tried) = pair(&[in_use, in_use, Ok(Some(6))]);
        assert_eq!((taken.unwrap(), tried), ((3, vec![4, 6]), 3));
        let (taken, _) = pair(&[Ok(None)]);
        assert_eq!(taken.unwrap(), (1, vec![4]), "a machine without the family");
        let (taken, tried) = pair(&[in_use]);
        assert!(matches!(taken, Err(ListenError::AllTaken { first: 0, last: 0 })) && tried == 32);
        // The error of the operating system says more than that other ports were in use.
        let (taken, _) = pair(&[Err(ErrorKind::PermissionDenied), in_use]);
        assert!(matches!(taken, Err(ListenError::Bind(1, _))), "{taken:?}");
        let refused = take_pair::<u8>(|| Err(ErrorKind::Other.into()), |_| Ok(None));
        assert!(matches!(refused, Err(ListenError::Bind(0, _))));
    }

    #[test]
    fn a_machine_without_a_family_is_told_from_a_taken_port() {
        assert!(is_absent(&ErrorKind::AddrNotAvailable.into()));
        assert!(!is_absent(&ErrorKind::AddrInUse.into()));
        assert!(!is_absent(&ErrorKind::PermissionDenied.into()));
        #[cfg(target_os = "linux")]
        assert!(is_absent(&io::Error::from_raw_os_error(97)));
    }
}

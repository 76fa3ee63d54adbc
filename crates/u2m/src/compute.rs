//! Which clusters a program on a person's own machine can use.

use u2m_core::Cluster;

/// The first runtime that Databricks Connect supports together with Unity Catalog.
const FIRST: (u32, u32) = (13, 1);

/// A snapshot of a series sorts after all of its releases.
const SNAPSHOT: u32 = 999;

/// Whether the user `me` can use `cluster` from their own machine with Databricks Connect and Unity Catalog: its runtime must be
/// 13.1 or later, and its access mode must be shared with user isolation, or dedicated to `me`.
///
/// ```no_run
/// # fn example(api: u2m::blocking::Api) -> Result<(), u2m::databricks::ApiError> {
/// let me = api.me()?;
/// let mut clusters = api.clusters();
/// while let Some(cluster) = clusters.next()? {
///     println!("{}: {}", cluster.name, u2m::databricks::suits_connect(&cluster, &me.user_name));
/// }
/// # Ok(())
/// # }
/// ```
pub fn suits_connect(cluster: &Cluster, me: &str) -> bool {
    let is_new = cluster.spark_version.as_deref().and_then(runtime).is_some_and(|it| it >= FIRST);
    is_new
        && match cluster.data_security_mode.as_deref() {
            Some("USER_ISOLATION" | "DATA_SECURITY_MODE_STANDARD") => true,
            Some("SINGLE_USER" | "DATA_SECURITY_MODE_DEDICATED") => {
                cluster.single_user_name.as_deref() == Some(me)
            }
            _ => false,
        }
}

/// Returns `15.4` for `15.4.x-scala2.12`, and `16.999` for `16.x-snapshot-scala2.12`.
fn runtime(version: &str) -> Option<(u32, u32)> {
    let (major, rest) = version.split_once('.')?;
    let major = major.parse().ok()?;
    if rest.starts_with("x-snapshot") {
        return Some((major, SNAPSHOT));
    }
    let (minor, rest) = rest.split_once('.')?;
    rest.starts_with("x-").then_some((major, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use u2m_core::{AccessToken, ApiAccess, Host, HttpResponse, Timestamp};

    fn cluster(version: &str, mode: &str, user: Option<&str>) -> Cluster {
        let user =
            user.map(|user| format!(r#", "single_user_name": "{user}""#)).unwrap_or_default();
        let page = format!(
            r#"{{"clusters": [{{"cluster_id": "c", "spark_version": "{version}", "data_security_mode": "{mode}"{user}}}]}}"#
        );
        let host = Host::parse("https://a.example").unwrap();
        let call = ApiAccess::new(host, AccessToken::new("t")).clusters(None);
        let page = call.answered(Ok(HttpResponse::new(200, page.into())), Timestamp::from_unix(0));
        page.unwrap().clusters.pop().unwrap()
    }

    #[test]
    fn a_cluster_suits_that_is_new_and_shared_or_ones_own() {
        let (new, old) = ("13.1.x-scala2.12", "13.0.x-scala2.12");
        let suits = |version, mode, user| suits_connect(&cluster(version, mode, user), "me");
        for mode in ["USER_ISOLATION", "DATA_SECURITY_MODE_STANDARD"] {
            assert!(suits(new, mode, None) && !suits(old, mode, None), "{mode}");
        }
        for mode in ["SINGLE_USER", "DATA_SECURITY_MODE_DEDICATED"] {
            assert!(suits(new, mode, Some("me")) && !suits(old, mode, Some("me")), "{mode}");
            assert!(!suits(new, mode, Some("you")) && !suits(new, mode, None), "{mode}");
        }
        assert!(!suits(new, "NONE", Some("me")) && !suits("custom", "USER_ISOLATION", None));
    }

    #[test]
    fn runtimes_are_read_as_the_reference_reads_them() {
        for (version, expected) in [
            ("15.4.x-scala2.12", Some((15, 4))),
            ("16.x-snapshot-scala2.12", Some((16, 999))),
            ("13.1.x-gpu-ml-scala2.12", Some((13, 1))),
            ("custom:release__13.x", None),
            ("13.x-scala2.12", None),
            ("13.1-scala", None),
            ("apache-spark-2.4.x-scala2.11", None),
            ("", None),
        ] {
            assert_eq!(runtime(version), expected, "{version}");
        }
    }
}

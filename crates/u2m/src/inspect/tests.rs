//! Whom an inspection is about, and by which transport it asks.

use super::*;
use crate::choose::Environment;
use tokio::time::Instant;
use u2m_config::{ConfigFile, SelectionArgs, resolve};
use u2m_http::ReqwestTransport;

fn subject(lines: &str) -> CheckSubject {
    let config = ConfigFile::parse(format!("[p]\nhost = a.example\ntoken = t\n{lines}")).unwrap();
    let given = SelectionArgs { profile: Some("p"), ..SelectionArgs::default() };
    let resolved = resolve(&given, &|_| None, &config, Path::new("cfg")).unwrap();
    CheckSubject::of(&resolved, &Environment { env: &|_| None, config: &config }).unwrap()
}

fn own() -> Inspector {
    Inspector::new(Arc::new(ReqwestTransport::new()))
}

#[test]
fn a_file_of_certificates_is_for_the_usual_transport_alone() {
    let (with, without) = (subject("u2m_ca_file = /corp.pem\n"), subject(""));
    let usual = Inspector::for_user(&|_| None);
    assert_eq!(usual.ca_file(&with), Some(Path::new("/corp.pem")));
    assert_eq!(usual.ca_file(&without), None);
    let said = Inspector { ca_file: Some("/said.pem".into()), ..usual };
    for subject in [&with, &without] {
        assert_eq!(said.ca_file(subject), Some(Path::new("/said.pem")));
        assert_eq!(own().ca_file(subject), None);
    }
}

#[tokio::test]
async fn whatever_runs_out_of_time_is_told_as_the_whole_time() {
    let inspector = Inspector { timeout: Duration::from_secs(7), ..own() };
    let end = Instant::now() + Duration::from_secs(60);
    let of_a_request = async { Err::<(), _>(CheckError::TimedOut(Duration::from_secs(1))) };
    let told = inspector.within(end, of_a_request).await;
    assert!(matches!(told, Err(CheckError::TimedOut(after)) if after == inspector.timeout));
    let other = inspector.within(end, async { Err::<(), _>(CheckError::NoHost) }).await;
    assert!(matches!(other, Err(CheckError::NoHost)));
    let late = inspector.within(Instant::now(), std::future::pending::<Result<(), _>>()).await;
    assert!(matches!(late, Err(CheckError::TimedOut(after)) if after == inspector.timeout));
}

#[test]
fn a_profile_of_another_issuer_has_neither_host_nor_token_of_the_environment() {
    let home = tempfile::tempdir().unwrap();
    let env = |name: &str| match name {
        "HOME" | "USERPROFILE" => Some(home.path().as_os_str().to_owned()),
        "DATABRICKS_AUTH_STORAGE" => Some("plaintext".into()),
        "DATABRICKS_HOST" => Some("https://a.example".into()),
        "DATABRICKS_TOKEN" => Some("t".into()),
        _ => None,
    };
    let text = "[p]\nu2m_issuer = https://id.example\nu2m_client_id = cli\n";
    let config = ConfigFile::parse(text).unwrap();
    let given = SelectionArgs { profile: Some("p"), ..SelectionArgs::default() };
    let resolved = resolve(&given, &env, &config, Path::new("cfg")).unwrap();
    let subject = CheckSubject::of(&resolved, &Environment { env: &env, config: &config }).unwrap();
    assert!(subject.is_for_issuer() && subject.host().is_none() && subject.token.is_none());
    assert!(subject.storage().is_some(), "it is a person's login");
}

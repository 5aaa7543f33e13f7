//! Accounts as people meet them: signing in, failing, being locked out, leaving.

use rusqlite::Connection;
use standpipe_machine::entropy::Entropy;

use super::{
    Account, AccountBook, AccountEntry, AccountError, Accounts, AuditCode, Job, Role, Token, Work,
};

const NOW: i64 = 1_764_000_000_000;
const DAY: i64 = 86_400_000;

fn open() -> (tempfile::TempDir, Accounts) {
    let dir = tempfile::tempdir().unwrap();
    let accounts = Accounts::open(&dir.path().join("store.db"), &Entropy::new()).unwrap();
    (dir, accounts)
}

async fn sign_in(accounts: &Accounts, password: &str, now: i64) -> Result<String, String> {
    let done = accounts.sign_in("admin".to_owned(), password.to_owned(), now).await;
    done.map_err(|refused| refused.to_string())
}

#[tokio::test]
async fn the_first_admin_is_made_once_and_signs_in_with_what_was_printed() {
    let (dir, accounts) = open();
    let password = accounts.first_admin(NOW).unwrap().expect("the first start");
    assert_eq!(accounts.first_admin(NOW).unwrap(), None, "no second one");
    let cookie = sign_in(&accounts, &password, NOW).await.unwrap();
    let known = accounts.with(move |book| book.session(&cookie, NOW + 1)).await.unwrap().unwrap();
    assert_eq!((&*known.name, known.role, known.station), ("admin", Role::Admin, None));
    let file = std::fs::read(dir.path().join("accounts.db")).unwrap();
    let holds = |text: &str| file.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(!holds(&password), "the password is nowhere in the file");
}

#[tokio::test]
async fn five_wrong_passwords_lock_the_name_for_a_minute_and_a_right_one_forgives() {
    let (_dir, accounts) = open();
    let password = accounts.first_admin(NOW).unwrap().unwrap();
    for _ in 0..4 {
        let wrong = sign_in(&accounts, "wrong", NOW).await.unwrap_err();
        assert_eq!(wrong, "wrong name or password: try again");
    }
    let locked = sign_in(&accounts, "wrong", NOW).await.unwrap_err();
    assert_eq!(locked, "too many wrong passwords: try again in 60 s");
    let still = sign_in(&accounts, &password, NOW + 59_000).await.unwrap_err();
    assert_eq!(still, "too many wrong passwords: try again in 1 s", "not even the right one");
    sign_in(&accounts, &password, NOW + 60_000).await.unwrap();
    let forgiven = sign_in(&accounts, "wrong", NOW + 60_001).await.unwrap_err();
    assert_eq!(forgiven, "wrong name or password: try again");
}

#[tokio::test]
async fn a_name_without_an_account_is_answered_and_locked_like_any_other() {
    let (_dir, accounts) = open();
    let mut said = Vec::new();
    for _ in 0..5 {
        let done = accounts.sign_in("nobody".to_owned(), "wrong".to_owned(), NOW).await;
        said.push(done.unwrap_err().to_string());
    }
    assert_eq!(said[0], "wrong name or password: try again");
    assert_eq!(said[4], "too many wrong passwords: try again in 60 s");
}

#[tokio::test]
async fn a_session_ends_when_idle_when_old_when_left_and_when_the_password_changes() {
    let (_dir, accounts) = open();
    let password = accounts.first_admin(NOW).unwrap().unwrap();
    let cookie = sign_in(&accounts, &password, NOW).await.unwrap();
    let lives = |at: i64| {
        let cookie = cookie.clone();
        let accounts = accounts.clone();
        async move { accounts.with(move |book| book.session(&cookie, at)).await.unwrap().is_some() }
    };
    for day in (0..92).step_by(6) {
        assert!(lives(NOW + day * DAY).await, "used every six days: day {day}");
    }
    assert!(!lives(NOW + 92 * DAY).await, "a season is over");
    let idle = sign_in(&accounts, &password, NOW).await.unwrap();
    let over = accounts.with(move |book| book.session(&idle, NOW + 7 * DAY)).await.unwrap();
    assert_eq!(over, None, "a week unused");
    let left = sign_in(&accounts, &password, NOW).await.unwrap();
    let gone = accounts.with(move |book| {
        book.sign_out(&left)?;
        book.session(&left, NOW)
    });
    assert_eq!(gone.await.unwrap(), None, "signed out");
    let stolen = sign_in(&accounts, &password, NOW).await.unwrap();
    let gone = accounts.with(move |book| {
        book.set_password("admin", "another hash")?;
        book.session(&stolen, NOW)
    });
    assert_eq!(gone.await.unwrap(), None, "another password ends every session");
    let made_up = accounts.with(|book| book.session("00", NOW)).await.unwrap();
    assert_eq!(made_up, None);
}

#[tokio::test]
async fn a_token_opens_until_it_expires_or_is_taken_away_and_is_kept_as_a_hash() {
    let (dir, accounts) = open();
    let token = Token {
        id: 0,
        name: "fire-desk".into(),
        role: Role::Officer,
        station: Some("t-1".into()),
        made_by: "admin".into(),
        expires_at: NOW + 10,
    };
    let text = accounts.with(move |book| book.make_token(&token, NOW)).await.unwrap();
    assert!(text.starts_with("sp_") && text.len() == 51, "{text}");
    let asked = text.clone();
    let known = accounts.with(move |book| book.token(&asked, NOW + 9)).await.unwrap().unwrap();
    assert_eq!((known.role, known.station.as_deref()), (Role::Officer, Some("t-1")));
    let asked = text.clone();
    assert_eq!(
        accounts.with(move |book| book.token(&asked, NOW + 10)).await.unwrap(),
        None,
        "expired"
    );
    let asked = text.clone();
    let gone = accounts.with(move |book| {
        assert!(book.drop_token(1)? && !book.drop_token(1)?);
        book.token(&asked, NOW)
    });
    assert_eq!(gone.await.unwrap(), None, "taken away");
    for file in ["accounts.db", "accounts.db-wal"] {
        let bytes = std::fs::read(dir.path().join(file)).unwrap_or_default();
        assert!(!bytes.windows(text.len()).any(|window| window == text.as_bytes()), "{file}");
    }
}

#[tokio::test]
async fn the_audit_log_grows_and_nothing_in_it_changes() {
    let (dir, accounts) = open();
    accounts.first_admin(NOW).unwrap().unwrap();
    accounts.with(|book| book.audit(NOW, "li", "acknowledge", "01K")).await.unwrap();
    let lines = accounts.with(|book| book.audited(i64::MAX, 10)).await.unwrap();
    let told: Vec<_> = lines.iter().map(|line| (&*line.who, &*line.what)).collect();
    assert_eq!(told, [("li", "acknowledge"), ("gateway", "account_added")]);
    // Somebody who can't sign in may type anything for a name.
    let name = "li\r\nadmin\u{202e} ";
    accounts.with(|book| book.audit(NOW, name, "sign_in_failed", name)).await.unwrap();
    let lines = accounts.with(|book| book.audited(i64::MAX, 1)).await.unwrap();
    assert_eq!((&*lines[0].who, &*lines[0].detail), ("li admin", "li admin"));
    let db = Connection::open(dir.path().join("accounts.db")).unwrap();
    for sql in ["DELETE FROM audit", "UPDATE audit SET who = 'somebody else'"] {
        let refused = db.execute(sql, ()).unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{refused}");
    }
}

#[tokio::test]
async fn somebody_who_can_make_accounts_is_always_left() {
    let (_dir, accounts) = open();
    accounts.first_admin(NOW).unwrap().unwrap();
    let refused = accounts.with(|book| book.remove("admin")).await.unwrap_err();
    assert_eq!(refused.to_string(), "`admin` is the last admin: make another one first");
    let demoted = accounts.with(|book| book.change("admin", Role::Viewer, None)).await;
    assert!(matches!(demoted, Err(AccountError::LastAdmin(_))));
    let bounded = accounts.with(|book| book.change("admin", Role::Admin, Some("t-1"))).await;
    assert!(matches!(bounded, Err(AccountError::LastAdmin(_))), "of one station only");
    accounts
        .with(|book| {
            book.add(&Account::new("wang", Role::Admin, None, NOW), "hash")?;
            book.remove("admin")
        })
        .await
        .unwrap();
    let again =
        accounts.with(|book| book.add(&Account::new("wang", Role::Crew, None, 0), "h")).await;
    assert_eq!(
        again.unwrap_err().to_string(),
        "account `wang` is there already: choose another name"
    );
    let bad = accounts.with(|book| book.add(&Account::new("a b", Role::Crew, None, 0), "h")).await;
    assert!(bad.unwrap_err().to_string().starts_with("name `a b`: use 1 to 48"));
    let short = accounts.hashed("short".to_owned()).await.unwrap_err();
    assert_eq!(short.to_string(), "password of 5 characters: use 10 to 256");
}

/// All rows, as SQL writes them.
fn rows(book: &AccountBook) -> Vec<String> {
    let tables = ["account", "attempt", "session", "token", "audit", "work"];
    let mut all = Vec::new();
    for table in tables {
        let columns =
            "SELECT group_concat('quote(' || name || ')', '||') FROM pragma_table_info(?1)";
        let columns: String = book.conn.query_row(columns, [table], |row| row.get(0)).unwrap();
        let sql = format!("SELECT '{table} ' || {columns} FROM {table} ORDER BY 1");
        let mut find = book.conn.prepare(&sql).unwrap();
        let found = find.query_map((), |row| row.get(0)).unwrap();
        all.extend(found.collect::<Result<Vec<String>, _>>().unwrap());
    }
    all
}

/// One change of every kind; some are refused, and change nothing.
fn everything_happens(book: &mut AccountBook) {
    for name in ["li", "wang", "zhou"] {
        book.add(&Account::new(name, Role::Admin, None, NOW), "a hash").unwrap();
    }
    assert!(matches!(
        book.add(&Account::new("li", Role::Crew, None, 1), "x"),
        Err(AccountError::Taken(_))
    ));
    book.change("wang", Role::Crew, Some("t-1")).unwrap();
    let cookie = book.signed_in("li", NOW).unwrap();
    let gone = book.signed_in("wang", NOW).unwrap();
    assert!(book.session(&cookie, NOW + 100_000).unwrap().is_some());
    book.sign_out(&gone).unwrap();
    for times in 1..=5 {
        assert!(book.failed("zhou", NOW + times).is_err());
    }
    assert!(book.failed("nobody", NOW).is_err());
    book.set_password("wang", "another hash").unwrap();
    book.remove("zhou").unwrap();
    assert!(matches!(book.remove("li"), Err(AccountError::LastAdmin(_))));
    let token = Token {
        id: 0,
        name: "grafana".into(),
        role: Role::Viewer,
        station: None,
        made_by: "li".into(),
        expires_at: NOW + DAY,
    };
    book.make_token(&token, NOW).unwrap();
    book.make_token(&token, NOW).unwrap();
    assert!(book.drop_token(1).unwrap());
    assert!(!book.drop_token(1).unwrap());
    book.audit(NOW, "li", "exported", "H-1").unwrap();
    book.audit_as(NOW, "li", "password", &AuditCode::Own).unwrap();
    let end = Job::Withdrawn { announced: standpipe_rules::incidents::Announced::WalkTest };
    let scope = standpipe_rules::incidents::Scope::Station("t-1".into());
    book.worked(&Work::new(&scope, NOW, "wang", end)).unwrap();
}

#[test]
fn what_changed_in_memory_reaches_the_file_and_entries_alone_make_the_same_rows() {
    let dir = tempfile::tempdir().unwrap();
    let mut book = AccountBook::open(&dir.path().join("accounts.db"), &Entropy::new()).unwrap();
    book.add(&Account::new("before", Role::Viewer, None, NOW), "a hash").unwrap();
    book.to_memory().unwrap();
    book.to_memory().unwrap();
    everything_happens(&mut book);
    let expected = rows(&book);
    let entries: Vec<AccountEntry> = book
        .untold()
        .iter()
        .map(|entry| serde_json::from_str(&serde_json::to_string(entry).unwrap()).unwrap())
        .collect();
    assert_eq!(entries, book.untold(), "exactly");
    let kinds: std::collections::BTreeSet<_> = entries.iter().map(AccountEntry::kind).collect();
    assert_eq!(kinds.len(), 12, "one of every kind: {kinds:?}");
    let printed = format!("{entries:?}");
    assert!(!printed.contains("hash"), "no entry prints what it holds: {printed}");

    // The disk is full: nothing is lost, and it is told once there is room.
    let limit = |book: &AccountBook, pages: i64| {
        let file = book.resting.as_ref().unwrap();
        file.query_row(&format!("PRAGMA max_page_count = {pages}"), (), |_| Ok(())).unwrap();
    };
    limit(&book, 1);
    book.audit(NOW, "li", "exported", &"H".repeat(100_000)).unwrap();
    assert!(matches!(book.to_disk(), Err(AccountError::Store(_))), "still full");
    book.audit(NOW, "li", "exported", "H-2").unwrap();
    let expected_later = rows(&book);
    limit(&book, 1_000_000);
    book.to_disk().unwrap();
    book.to_disk().unwrap();
    assert_eq!(rows(&book), expected_later);
    let file = AccountBook::open(&dir.path().join("accounts.db"), &Entropy::new()).unwrap();
    assert_eq!(rows(&file), expected_later, "it is in the file");

    let mut other = AccountBook::open(&dir.path().join("other.db"), &Entropy::new()).unwrap();
    other.add(&Account::new("before", Role::Viewer, None, NOW), "a hash").unwrap();
    for entry in entries {
        other.append(entry).unwrap();
    }
    assert_eq!(rows(&other), expected);
}

//! One attempt at one webhook. What is sent and what its answer means is the format's to say
//! (`standpipe_receivers::formats`).

use futures_util::future::BoxFuture;
use standpipe_config::Webhook;
use standpipe_config::trust::Authorities;
use standpipe_machine::clock::Clock;
use standpipe_receivers::{Answer, Attempt, Blames, Caller, OutgoingMessage};
use standpipe_words::message::Desk;

/// One for each of these receivers, in their order: those without a `ca_file` share one.
///
/// # Errors
/// No TLS.
pub fn callers(webhooks: &[Webhook]) -> reqwest::Result<Vec<Caller>> {
    let usual = Caller::new(Authorities::system())?;
    let own = |webhook: &Webhook| match &webhook.trust {
        Some(trust) => Caller::new(trust.clone()),
        None => Ok(usual.clone()),
    };
    webhooks.iter().map(own).collect()
}

/// Sends a message to a webhook once, and says what came of it. One that is off is sent nothing: its
/// pages wait for a start that can send them.
#[must_use]
pub fn attempt(
    caller: &Caller,
    webhook: &Webhook,
    message: OutgoingMessage,
    desk: &Desk,
    clock: &Clock,
) -> BoxFuture<'static, Answer> {
    let (caller, webhook, desk, clock) =
        (caller.clone(), webhook.clone(), desk.clone(), clock.clone());
    Box::pin(async move {
        if let Some(why) = &webhook.off {
            let why = format!("{why}; `standpipe check` shows it, then restart the gateway");
            return Answer::later(Blames::Receiver, why);
        }
        let attempt = Attempt {
            caller: &caller,
            url: &webhook.url,
            secret: webhook.secret.as_ref(),
            message: &message,
            desk: &desk,
            clock: &clock,
        };
        webhook.format.send(&attempt).await
    })
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::{Answer, OutgoingMessage, attempt, callers};
    use standpipe_config::{Config, Language};
    use standpipe_machine::clock::Clock;
    use standpipe_receivers::About;
    use standpipe_rules::incidents::{BundledPage, Text, WireBundle};
    use standpipe_shared::Severity;
    use standpipe_words::message::Desk;
    use ulid::Ulid;

    /// What a receiver that answers so is taken to have said.
    async fn answered(head: &str) -> Answer {
        answered_to("", &format!("{head}\r\ncontent-length: 0\r\n\r\n")).await
    }

    /// The same of a receiver with this section; what it answers is whole behind `HTTP/1.1`.
    async fn answered_to(section: &str, response: &str) -> Answer {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = server.local_addr().unwrap().port();
        let response = format!("HTTP/1.1 {response}");
        let once = async {
            let (mut peer, _) = server.accept().await.unwrap();
            let mut asked = vec![0; 4_096];
            let _ = peer.read(&mut asked).await.unwrap();
            peer.write_all(response.as_bytes()).await.unwrap();
        };
        let text = format!(
            "[mqtt]\nurl = 'mqtt://a'\n[[webhook]]\nname = 'w'\nurl = 'http://127.0.0.1:{port}/hook'\n{section}"
        );
        let config = Config::parse(&text, "standpipe.toml".as_ref(), None).unwrap();
        let (page_id, wire) = ("page".to_owned(), incident().to_string());
        let about = About::Incident;
        let sent = OutgoingMessage { about, page_id, at: 0, wire, earlier: Vec::new() };
        let zone = jiff::tz::TimeZone::UTC;
        let desk = Desk { url: "http://gateway".into(), zone, language: Language::English };
        let caller = &callers(&config.webhooks).unwrap()[0];
        let attempt = attempt(caller, &config.webhooks[0], sent, &desk, &Clock::new());
        tokio::join!(attempt, once).0
    }

    #[tokio::test]
    async fn a_sign_in_page_that_redirects_is_no_receipt_and_no_refusal() {
        for (status, location, shown) in [
            (
                302,
                "location: http://10.0.0.1:8000/login?token=hunter2\r\n",
                " to http://10.0.0.1:8000",
            ),
            (
                307,
                "location: https://portal.example/\r\nretry-after: 99999\r\n",
                " to https://portal.example",
            ),
            (303, "location: data:text/html,hunter2\r\n", ""),
            (308, "", ""),
        ] {
            let answer = answered(&format!("{status} Elsewhere\r\n{location}x: y")).await;
            let Answer::Later { wait: None, why, .. } = answer else {
                panic!("{status}: {answer:?}")
            };
            assert!(
                why.starts_with(&format!("status {status}, a redirect{shown}: sign in")),
                "{why}"
            );
        }
        assert_eq!(answered("204 No Content").await, Answer::Taken);
    }

    /// What is put on the wire for this section, without what HTTP adds.
    async fn sent_as(section: &str, message: &OutgoingMessage) -> String {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = server.local_addr().unwrap().port();
        let section = section.replace("HOST", &format!("127.0.0.1:{port}"));
        let text = format!("[mqtt]\nurl = 'mqtt://a'\n[[webhook]]\nname = 'w'\n{section}");
        let config = Config::parse(&text, "standpipe.toml".as_ref(), None).unwrap();
        let heard = async {
            let (mut peer, _) = server.accept().await.unwrap();
            let mut asked = Vec::new();
            loop {
                let mut some = [0; 4_096];
                let read = peer.read(&mut some).await.unwrap();
                asked.extend_from_slice(&some[..read]);
                let text = String::from_utf8_lossy(&asked).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                if body.len() >= length.map_or(0, |text| text.parse().unwrap()) {
                    peer.write_all(b"HTTP/1.1 500 no\r\ncontent-length: 0\r\n\r\n").await.unwrap();
                    return text;
                }
            }
        };
        let zone = jiff::tz::TimeZone::UTC;
        let desk = Desk { url: "http://gateway".into(), zone, language: Language::Chinese };
        let caller = &callers(&config.webhooks).unwrap()[0];
        let attempt = attempt(caller, &config.webhooks[0], message.clone(), &desk, &Clock::new());
        let heard =
            async { tokio::time::timeout(std::time::Duration::from_millis(500), heard).await };
        let (answer, heard) = tokio::join!(attempt, heard);
        let Ok(heard) = heard else { return format!("{answer:?}") };
        let (head, body) = heard.split_once("\r\n\r\n").unwrap();
        let added = ["accept: ", "host: ", "user-agent: ", "content-length: "];
        let head = head.lines().filter(|line| !added.iter().any(|name| line.starts_with(name)));
        let body = match body.len() {
            // A signature says the rest.
            1_800.. => format!("({} bytes)", body.len()),
            _ => body.to_owned(),
        };
        format!("{}\n{body}", head.collect::<Vec<_>>().join("\n"))
    }

    fn incident() -> serde_json::Value {
        serde_json::json!({
            "id": "01J0000000000000000000000A", "rev": 1, "station": "t-1", "class": "fire",
            "severity": "fire", "state": "open", "conditions": ["smoke"],
            "title": {"en": "Fire <at> \"A & B\"", "zh": "火警 <at> \"甲 & 乙\""}, "opened_at": 0,
            "page_id": "P",
        })
    }

    /// A day with so many lines.
    fn digest(lines: usize) -> serde_json::Value {
        let title = "x".repeat(300);
        let line = serde_json::json!({
            "id": "01J0000000000000000000000A", "condition": "offline", "title": {"en": title, "zh": title},
            "station": "t-1", "device": "H-1", "address": "", "since": 0, "opened_at": 0, "closed_at": null,
        });
        serde_json::json!({"digest": {
            "day": "2026-11-28", "station": null, "from": 0, "to": 1, "open": 12, "new": 2, "closed": 3,
            "counts": [], "items": vec![line; lines], "more": 0,
        }, "url": "http://gateway/digest"})
    }

    /// A bundle of so many fires of 23 stations.
    fn bundle(members: u64) -> serde_json::Value {
        let page = |n: u64| BundledPage {
            incident: Ulid::from_parts(n, 0),
            page_id: Ulid::from_parts(n, 1),
            device: Some(format!("S-{n}").into()),
            station: (format!("t-{}", n % 23).into(), format!("第{}站", n % 23).into()),
            severity: Severity::Fire,
            title: Text { en: format!("Fire <at> {n}"), zh: format!("火警 <at> {n}") },
        };
        let pages: Vec<_> = (1..=members).map(page).collect();
        let id = Ulid::from_parts(9, 9);
        let message = WireBundle::of(&pages).message(&incident().to_string(), id);
        serde_json::from_str(&message).unwrap()
    }

    #[tokio::test]
    async fn each_format_is_written_as_its_receivers_want_it() {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        std::fs::write(&secret, "Jefe").unwrap();
        let secret = format!("secret_file = '{}'\n", secret.display());
        let sms = "to = ['1', '2']\nmethod = 'PUT'\nheaders = ['X-Title: {title}']\n\
                   body = '{\"to\":\"{to}\",\"text\":\"{text}\",\"s\":\"{secret}\",\"id\":\"{page_id}\"}'\n";
        let sms = format!("{sms}{secret}");
        let mut written = String::new();
        for (format, more) in [
            ("json", &*secret),
            ("cap", &secret),
            ("dingtalk", ""),
            ("wecom", ""),
            ("feishu", ""),
            ("sms", &sms),
        ] {
            let section =
                format!("url = 'http://HOST/{format}?to={{to}}'\nformat = '{format}'\n{more}");
            for (about, wire) in [
                (About::Incident, incident()),
                (About::Bundle, bundle(2)),
                (About::Bundle, bundle(20_000)),
                (About::Digest, digest(0)),
                (About::Digest, digest(50)),
            ] {
                let (page_id, wire) = ("P".to_owned(), wire.to_string());
                let earlier = Vec::new();
                let message = OutgoingMessage { about, page_id, at: 0, wire, earlier };
                let one = sent_as(&section, &message).await;
                written += &format!("---- {format}, {about:?}\n{one}\n");
            }
        }
        insta::assert_snapshot!(written, @r##"
---- json, Incident
POST /json?to={to} HTTP/1.1
content-type: application/json
idempotency-key: P
x-standpipe-signature: sha256=fff42b30641af4c0b75abb964413773786764b8502d5bb00570046cc27ba1646
{"class":"fire","conditions":["smoke"],"id":"01J0000000000000000000000A","opened_at":0,"page_id":"P","rev":1,"severity":"fire","state":"open","station":"t-1","title":{"en":"Fire <at> \"A & B\"","zh":"火警 <at> \"甲 & 乙\""}}
---- json, Bundle
POST /json?to={to} HTTP/1.1
content-type: application/json
idempotency-key: P
x-standpipe-signature: sha256=4fa67e67f4019e26dad439555e87ccc2adffdba29b2e7dbe971a7396fb4f21e6
{"bundle":true,"class":"fire","conditions":["smoke"],"count":2,"fires":2,"id":"01J0000000000000000000000A","members":[{"device":"S-1","incident":"00000000010000000000000000","page_id":"00000000010000000000000001"},{"device":"S-2","incident":"00000000020000000000000000","page_id":"00000000020000000000000001"}],"members_left_out":0,"opened_at":0,"page_id":"00000000090000000000000009","rev":1,"severity":"fire","state":"open","station":"t-1","stations":[{"count":1,"fires":1,"name":"第1站","station":"t-1"},{"count":1,"fires":1,"name":"第2站","station":"t-2"}],"stations_left_out":0,"title":{"en":"Fire <at> \"A & B\"","zh":"火警 <at> \"甲 & 乙\""},"worst":[{"incident":"00000000010000000000000000","station":"t-1","title":{"en":"Fire <at> 1","zh":"火警 <at> 1"}},{"incident":"00000000020000000000000000","station":"t-2","title":{"en":"Fire <at> 2","zh":"火警 <at> 2"}}]}
---- json, Bundle
POST /json?to={to} HTTP/1.1
content-type: application/json
idempotency-key: P
x-standpipe-signature: sha256=8e6016ef44aee511d702ac7343dba67f85c80772a655fcedb1bb173667cb772d
(51735 bytes)
---- json, Digest
POST /json?to={to} HTTP/1.1
content-type: application/json
idempotency-key: P
x-standpipe-signature: sha256=5f1d705c1e83004bdec873ceeb00d737b13147edf57a4e484831d482cfbed471
{"digest":{"closed":3,"counts":[],"day":"2026-11-28","from":0,"items":[],"more":0,"new":2,"open":12,"station":null,"to":1},"url":"http://gateway/digest"}
---- json, Digest
POST /json?to={to} HTTP/1.1
content-type: application/json
idempotency-key: P
x-standpipe-signature: sha256=1c2b9f73e51ed6cf50561102db370636b69427f6f5b91db01e962f3a01ad291e
(38602 bytes)
---- cap, Incident
POST /cap?to={to} HTTP/1.1
content-type: application/cap+xml
idempotency-key: P
x-standpipe-signature: sha256=09f30aa18757190731eee8cbea57e3cd50778b8cf5219dfccfd66184ca3f24a9
(2155 bytes)
---- cap, Bundle
POST /cap?to={to} HTTP/1.1
content-type: application/cap+xml
idempotency-key: P
x-standpipe-signature: sha256=01ea935eb525790bc059d59e87d58e2c59bbf6bcf55d2eaf609dd282a2e92854
(3315 bytes)
---- cap, Bundle
POST /cap?to={to} HTTP/1.1
content-type: application/cap+xml
idempotency-key: P
x-standpipe-signature: sha256=629695aca7ad80f0bd8ecd1c555b025ccc084aee64fed98e59e7cc58465c31c4
(26279 bytes)
---- cap, Digest
Never { why: "a digest is no alert: CAP has none", blames: Message }
---- cap, Digest
Never { why: "a digest is no alert: CAP has none", blames: Message }
---- dingtalk, Incident
POST /dingtalk?to={to} HTTP/1.1
content-type: application/json
{"at":{"isAtAll":true},"msgtype":"text","text":{"content":"【火警】火警 <at> \"甲 & 乙\"\nFIRE: Fire <at> \"A & B\"\n时间 since: 1970-01-01 00:00:00\nhttp://gateway/incidents/01J0000000000000000000000A"}}
---- dingtalk, Bundle
POST /dingtalk?to={to} HTTP/1.1
content-type: application/json
{"at":{"isAtAll":true},"msgtype":"text","text":{"content":"【火警】合并通知：涉及2个站，警情2起，其中火警2起\nFIRE: 2 incidents at 2 stations, 2 of them fires\n各站 by station: 第1站 1 · 第2站 1\n- 火警 <at> 1\n- 火警 <at> 2\nhttp://gateway/bundles/00000000090000000000000009"}}
---- dingtalk, Bundle
POST /dingtalk?to={to} HTTP/1.1
content-type: application/json
{"at":{"isAtAll":true},"msgtype":"text","text":{"content":"【火警】合并通知：涉及23个站，警情20000起，其中火警20000起\nFIRE: 20000 incidents at 23 stations, 20000 of them fires\n各站 by station: 第1站 870 · 第10站 870 · 第11站 870 · 第12站 870 · 第13站 870 · 第2站 870 · 第3站 870 · 第4站 870 · 第5站 870 · 第6站 870 · 第7站 870 · 第8站 870 · 第9站 870 · 第0站 869 · 第14站 869 · 第15站 869 · 第16站 869 · 第17站 869 · 第18站 869 · 第19站 869 · 第20站 869 · 第21站 869 · 第22站 869\n- 火警 <at> 1\n- 火警 <at> 2\n- 火警 <at> 3\n- 火警 <at> 4\n- 火警 <at> 5\n- 火警 <at> 6\n- 火警 <at> 7\n- 火警 <at> 8\n- 火警 <at> 9\n- 火警 <at> 10\n全部20000起见：\nhttp://gateway/bundles/00000000090000000000000009"}}
---- dingtalk, Digest
POST /dingtalk?to={to} HTTP/1.1
content-type: application/json
{"at":{"isAtAll":false},"msgtype":"text","text":{"content":"【每日提示】2026-11-28：未关闭 12，新增 2，已关闭 3\nhttp://gateway/digest?day=2026-11-28"}}
---- dingtalk, Digest
POST /dingtalk?to={to} HTTP/1.1
content-type: application/json
(11846 bytes)
---- wecom, Incident
POST /wecom?to={to} HTTP/1.1
content-type: application/json
{"msgtype":"text","text":{"content":"【火警】火警 <at> \"甲 & 乙\"\nFIRE: Fire <at> \"A & B\"\n时间 since: 1970-01-01 00:00:00\nhttp://gateway/incidents/01J0000000000000000000000A","mentioned_list":["@all"]}}
---- wecom, Bundle
POST /wecom?to={to} HTTP/1.1
content-type: application/json
{"msgtype":"text","text":{"content":"【火警】合并通知：涉及2个站，警情2起，其中火警2起\nFIRE: 2 incidents at 2 stations, 2 of them fires\n各站 by station: 第1站 1 · 第2站 1\n- 火警 <at> 1\n- 火警 <at> 2\nhttp://gateway/bundles/00000000090000000000000009","mentioned_list":["@all"]}}
---- wecom, Bundle
POST /wecom?to={to} HTTP/1.1
content-type: application/json
{"msgtype":"text","text":{"content":"【火警】合并通知：涉及23个站，警情20000起，其中火警20000起\nFIRE: 20000 incidents at 23 stations, 20000 of them fires\n各站 by station: 第1站 870 · 第10站 870 · 第11站 870 · 第12站 870 · 第13站 870 · 第2站 870 · 第3站 870 · 第4站 870 · 第5站 870 · 第6站 870 · 第7站 870 · 第8站 870 · 第9站 870 · 第0站 869 · 第14站 869 · 第15站 869 · 第16站 869 · 第17站 869 · 第18站 869 · 第19站 869 · 第20站 869 · 第21站 869 · 第22站 869\n- 火警 <at> 1\n- 火警 <at> 2\n- 火警 <at> 3\n- 火警 <at> 4\n- 火警 <at> 5\n- 火警 <at> 6\n- 火警 <at> 7\n- 火警 <at> 8\n- 火警 <at> 9\n- 火警 <at> 10\n全部20000起见：\nhttp://gateway/bundles/00000000090000000000000009","mentioned_list":["@all"]}}
---- wecom, Digest
POST /wecom?to={to} HTTP/1.1
content-type: application/json
{"msgtype":"text","text":{"content":"【每日提示】2026-11-28：未关闭 12，新增 2，已关闭 3\nhttp://gateway/digest?day=2026-11-28","mentioned_list":[]}}
---- wecom, Digest
POST /wecom?to={to} HTTP/1.1
content-type: application/json
(1896 bytes)
---- feishu, Incident
POST /feishu?to={to} HTTP/1.1
content-type: application/json
{"content":{"text":"【火警】火警 ＜at> \"甲 & 乙\"\nFIRE: Fire ＜at> \"A & B\"\n时间 since: 1970-01-01 00:00:00\nhttp://gateway/incidents/01J0000000000000000000000A\n<at user_id=\"all\">所有人</at>"},"msg_type":"text"}
---- feishu, Bundle
POST /feishu?to={to} HTTP/1.1
content-type: application/json
{"content":{"text":"【火警】合并通知：涉及2个站，警情2起，其中火警2起\nFIRE: 2 incidents at 2 stations, 2 of them fires\n各站 by station: 第1站 1 · 第2站 1\n- 火警 ＜at> 1\n- 火警 ＜at> 2\nhttp://gateway/bundles/00000000090000000000000009\n<at user_id=\"all\">所有人</at>"},"msg_type":"text"}
---- feishu, Bundle
POST /feishu?to={to} HTTP/1.1
content-type: application/json
{"content":{"text":"【火警】合并通知：涉及23个站，警情20000起，其中火警20000起\nFIRE: 20000 incidents at 23 stations, 20000 of them fires\n各站 by station: 第1站 870 · 第10站 870 · 第11站 870 · 第12站 870 · 第13站 870 · 第2站 870 · 第3站 870 · 第4站 870 · 第5站 870 · 第6站 870 · 第7站 870 · 第8站 870 · 第9站 870 · 第0站 869 · 第14站 869 · 第15站 869 · 第16站 869 · 第17站 869 · 第18站 869 · 第19站 869 · 第20站 869 · 第21站 869 · 第22站 869\n- 火警 ＜at> 1\n- 火警 ＜at> 2\n- 火警 ＜at> 3\n- 火警 ＜at> 4\n- 火警 ＜at> 5\n- 火警 ＜at> 6\n- 火警 ＜at> 7\n- 火警 ＜at> 8\n- 火警 ＜at> 9\n- 火警 ＜at> 10\n全部20000起见：\nhttp://gateway/bundles/00000000090000000000000009\n<at user_id=\"all\">所有人</at>"},"msg_type":"text"}
---- feishu, Digest
POST /feishu?to={to} HTTP/1.1
content-type: application/json
{"content":{"text":"【每日提示】2026-11-28：未关闭 12，新增 2，已关闭 3\nhttp://gateway/digest?day=2026-11-28"},"msg_type":"text"}
---- feishu, Digest
POST /feishu?to={to} HTTP/1.1
content-type: application/json
(11824 bytes)
---- sms, Incident
PUT /sms?to=1%2C2 HTTP/1.1
x-title: 【火警】火警 <at> "甲 & 乙"
{"to":"1,2","text":"【火警】火警 <at> \"甲 & 乙\"\nFIRE: Fire <at> \"A & B\"\n时间 since: 1970-01-01 00:00:00\nhttp://gateway/incidents/01J0000000000000000000000A","s":"Jefe","id":"P"}
---- sms, Bundle
PUT /sms?to=1%2C2 HTTP/1.1
x-title: 【火警】合并通知：涉及2个站，警情2起，其中火警2起
{"to":"1,2","text":"【火警】合并通知：涉及2个站，警情2起，其中火警2起\n各站 by station: 第1站 1 · 第2站 1\n- 火警 <at> 1\n- 火警 <at> 2\nhttp://gateway/bundles/00000000090000000000000009","s":"Jefe","id":"P"}
---- sms, Bundle
PUT /sms?to=1%2C2 HTTP/1.1
x-title: 【火警】合并通知：涉及23个站，警情20000起，其中火警20000起
{"to":"1,2","text":"【火警】合并通知：涉及23个站，警情20000起，其中火警20000起\n各站 by station: 第1站 870 · 第10站 870 · 第11站 870 · 第12站 870 · 第13站 870 · 第2站 870 · 第3站 870 · 第4站 870 · 第5站 870 · 第6站 870 · 第7站 870 · 第8站 870 · 第9站 870 · 第0站 869 · 第14站 869 · 第15站 869 · 第16站 869 · 第17站 869 · 第18站 869 · 第19站 869 · 第20站 869 · 第21站 869 · 第22站 869\n- 火警 <at> 1\n- 火警 <at> 2\n- 火警 <at> 3\n- 火警 <at> 4\n全部20000起见：\nhttp://gateway/bundles/00000000090000000000000009","s":"Jefe","id":"P"}
---- sms, Digest
PUT /sms?to=1%2C2 HTTP/1.1
x-title: 【每日提示】2026-11-28：未关闭 12，新增 2，已关闭 3
{"to":"1,2","text":"【每日提示】2026-11-28：未关闭 12，新增 2，已关闭 3","s":"Jefe","id":"P"}
---- sms, Digest
PUT /sms?to=1%2C2 HTTP/1.1
x-title: 【每日提示】2026-11-28：未关闭 12，新增 2，已关闭 3
{"to":"1,2","text":"【每日提示】2026-11-28：未关闭 12，新增 2，已关闭 3","s":"Jefe","id":"P"}
"##);
    }

    #[tokio::test]
    async fn each_format_judges_its_own_answer() {
        let ok = "200 OK\r\ncontent-length: 2\r\n\r\nok";
        let page = "200 OK\r\ncontent-type: text/html\r\ncontent-length: 14\r\n\r\n<p>Log in</p>\n";
        let torn = "200 OK\r\ncontent-length: 99\r\n\r\n{\"code\":0}";
        let good = "200 OK\r\ncontent-length: 10\r\n\r\n{\"code\":0}";
        let away = "200 OK\r\nrefresh: 0; url=/login\r\ncontent-length: 10\r\n\r\n{\"code\":0}";
        let zero = "200 OK\r\ncontent-length: 32\r\n\r\n<!-- \"code\":0 --><html>\"code\":0\n";
        let full = "429 Many\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n";
        let gone = "404 Gone\r\ncontent-length: 10\r\n\r\n{\"code\":0}";
        let mut judged = String::new();
        for section in [
            "format = 'json'",
            "format = 'cap'",
            "format = 'feishu'",
            "format = 'dingtalk'",
            "format = 'wecom'",
            "format = 'sms'",
            "format = 'sms'\ntaken_when = '\"code\":0'",
        ] {
            judged += &format!("---- {}\n", section.replace('\n', ", "));
            for (story, response) in [
                ("ok", ok),
                ("page", page),
                ("away", away),
                ("zero", zero),
                ("torn", torn),
                ("good", good),
                ("full", full),
                ("gone", gone),
            ] {
                let answer = format!("{:?}", answered_to(section, response).await);
                // Behind that are the words of libraries.
                let answer = match answer.split_once(" body error") {
                    Some((ours, _)) => format!("{ours} body error…"),
                    None => answer,
                };
                judged += &format!("{story}: {answer}\n");
            }
        }
        insta::assert_snapshot!(judged, @r##"
---- format = 'json'
ok: Taken
page: Later { wait: None, why: "its answer is a web page (`<p>Log in</p>`): check `url`, and whether a proxy or a network's sign-in stands in between", blames: Receiver }
away: Later { wait: None, why: "status 200, a redirect: sign in to the network if it asks for that, or set `url` to where it points", blames: Receiver }
zero: Later { wait: None, why: "its answer is a web page (`<!-- \"code\":0 --><html>\"code\":0`): check `url`, and whether a proxy or a network's sign-in stands in between", blames: Receiver }
torn: Taken
good: Taken
full: Later { wait: Some(TooMany(7s)), why: "status 429", blames: Receiver }
gone: Never { why: "status 404: check `url`", blames: Receiver }
---- format = 'cap'
ok: Taken
page: Later { wait: None, why: "its answer is a web page (`<p>Log in</p>`): check `url`, and whether a proxy or a network's sign-in stands in between", blames: Receiver }
away: Later { wait: None, why: "status 200, a redirect: sign in to the network if it asks for that, or set `url` to where it points", blames: Receiver }
zero: Later { wait: None, why: "its answer is a web page (`<!-- \"code\":0 --><html>\"code\":0`): check `url`, and whether a proxy or a network's sign-in stands in between", blames: Receiver }
torn: Taken
good: Taken
full: Later { wait: Some(TooMany(7s)), why: "status 429", blames: Receiver }
gone: Never { why: "status 404: check `url`", blames: Receiver }
---- format = 'feishu'
ok: Later { wait: None, why: "its answer has no code: check `url`, a robot says how it went", blames: Receiver }
page: Later { wait: None, why: "its answer has no code: check `url`, a robot says how it went", blames: Receiver }
away: Later { wait: None, why: "status 200, a redirect: sign in to the network if it asks for that, or set `url` to where it points", blames: Receiver }
zero: Later { wait: None, why: "its answer has no code: check `url`, a robot says how it went", blames: Receiver }
torn: Later { wait: None, why: "request or response body error…
good: Taken
full: Later { wait: Some(TooMany(7s)), why: "status 429", blames: Receiver }
gone: Never { why: "status 404: check `url`", blames: Receiver }
---- format = 'dingtalk'
ok: Later { wait: None, why: "its answer has no code: check `url`, a robot says how it went", blames: Receiver }
page: Later { wait: None, why: "its answer has no code: check `url`, a robot says how it went", blames: Receiver }
away: Later { wait: None, why: "status 200, a redirect: sign in to the network if it asks for that, or set `url` to where it points", blames: Receiver }
zero: Later { wait: None, why: "its answer has no code: check `url`, a robot says how it went", blames: Receiver }
torn: Later { wait: None, why: "request or response body error…
good: Later { wait: None, why: "its answer has no code: check `url`, a robot says how it went", blames: Receiver }
full: Later { wait: Some(TooMany(7s)), why: "status 429", blames: Receiver }
gone: Never { why: "status 404: check `url`", blames: Receiver }
---- format = 'wecom'
ok: Later { wait: None, why: "its answer has no code: check `url`, a robot says how it went", blames: Receiver }
page: Later { wait: None, why: "its answer has no code: check `url`, a robot says how it went", blames: Receiver }
away: Later { wait: None, why: "status 200, a redirect: sign in to the network if it asks for that, or set `url` to where it points", blames: Receiver }
zero: Later { wait: None, why: "its answer has no code: check `url`, a robot says how it went", blames: Receiver }
torn: Later { wait: None, why: "request or response body error…
good: Later { wait: None, why: "its answer has no code: check `url`, a robot says how it went", blames: Receiver }
full: Later { wait: Some(TooMany(7s)), why: "status 429", blames: Receiver }
gone: Never { why: "status 404: check `url`", blames: Receiver }
---- format = 'sms'
ok: Taken
page: Later { wait: None, why: "its answer is a web page (`<p>Log in</p>`): check `url`, and whether a proxy or a network's sign-in stands in between", blames: Receiver }
away: Later { wait: None, why: "status 200, a redirect: sign in to the network if it asks for that, or set `url` to where it points", blames: Receiver }
zero: Later { wait: None, why: "its answer is a web page (`<!-- \"code\":0 --><html>\"code\":0`): check `url`, and whether a proxy or a network's sign-in stands in between", blames: Receiver }
torn: Taken
good: Taken
full: Later { wait: Some(TooMany(7s)), why: "status 429", blames: Receiver }
gone: Never { why: "status 404: check `url`", blames: Receiver }
---- format = 'sms', taken_when = '"code":0'
ok: Later { wait: None, why: "its answer lacks `taken_when`: ok", blames: Message }
page: Later { wait: None, why: "its answer lacks `taken_when`: <p>Log in</p>", blames: Message }
away: Later { wait: None, why: "status 200, a redirect: sign in to the network if it asks for that, or set `url` to where it points", blames: Receiver }
zero: Later { wait: None, why: "its answer is a web page (`<!-- \"code\":0 --><html>\"code\":0`): check `url`, and whether a proxy or a network's sign-in stands in between", blames: Receiver }
torn: Later { wait: None, why: "request or response body error…
good: Taken
full: Later { wait: Some(TooMany(7s)), why: "status 429", blames: Receiver }
gone: Never { why: "status 404: check `url`", blames: Receiver }
"##);
    }
}

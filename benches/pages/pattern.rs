//! One session in which everything happens once, by the relay's own code: what the many are copies of.

use std::time::Duration;

use entremise::{
    carrier::event::{CallStatus, DialEnded, Inbound, InboundCall, InboundMessage, MessageStatus},
    domain::{
        assurance::Attestation,
        call::CallState,
        case::CaseId,
        message::{Body, MessageState},
        phone::{Caller, Identifier, ProxyNumber},
        report::Category,
    },
    ids::{
        AccountId, ErasureId, Ids, InteractionId, KeyId, LegId, OptOutId, ReportId, RequestId,
        SessionId, StaffId,
    },
    relay::{self, Invite, NewEndpoint, NewReport, Reach, Subject},
    store::{
        endpoints::EndpointUrl,
        interactions::{self, Filter},
        legs::{self, Direction},
        participants::Participant,
        sessions::Page,
    },
};

use crate::{
    Result,
    bulk::texts,
    world::{CARRIER, Live, Raw, World, person},
};

/// What pages are about.
#[derive(Debug)]
pub(crate) struct Pattern {
    pub(crate) session: SessionId,
    pub(crate) buyer: Participant,
    pub(crate) endpoint: String,
    /// A text that arrived, a call that was answered, and one that was not.
    pub(crate) contacts: [Contact; 3],
    pub(crate) opt_out: OptOutId,
    pub(crate) erasure: ErasureId,
    pub(crate) report: ReportId,
    pub(crate) key: KeyId,
}

/// A call or text, and which rows are of it.
#[derive(Debug)]
pub(crate) struct Contact {
    pub(crate) id: InteractionId,
    /// When it came in, in milliseconds.
    pub(crate) at: i64,
    /// The last that the marketplace was told of it.
    pub(crate) event: String,
    /// What we asked of the carrier for it: ids in quotes, with commas.
    pub(crate) outbox: String,
}

/// How many notes a session has.
const NOTES: usize = 30;

struct Stage<'a> {
    live: &'a Live,
    account: &'a AccountId,
}

impl Pattern {
    /// Plays it in a new world.
    pub(crate) async fn play(world: &World, live: &Live) -> Result<Self> {
        let stage = Stage { live, account: &world.account };
        let endpoint = stage.endpoint().await?;
        let opened = live.session(&world.account, world.session(0, 1)?).await?;
        let session = opened.session.id.clone();
        let (seller, buyer) =
            (of(&opened.participants, "seller")?, of(&opened.participants, "buyer")?);
        let text = stage.text(1, &buyer.number).await?;
        let call = stage.call(0, &seller.number, CallState::Completed).await?;
        let missed = stage.call(1, &buyer.number, CallState::NoAnswer).await?;
        let mut raw = world.raw().await?;
        let contacts = [
            Contact::read(&mut raw, &text).await?,
            Contact::read(&mut raw, &call).await?,
            Contact::read(&mut raw, &missed).await?,
        ];
        raw.close().await?;
        stage.desk(&session).await?;
        let gone = live.session(&world.account, world.session(2, 3)?).await?;
        let gone = Subject::Participant(of(&gone.participants, "buyer")?.id);
        let input = (world.account.clone(), session.clone(), buyer.id.clone());
        let work = live.relay.act(input, |tx, (account, session, reporter)| {
            Box::pin(async move {
                let new = NewReport {
                    category: Category::Harassment,
                    note: Some(Body::new("Calls at night.".to_owned())),
                    interactions: Vec::new(),
                    block: false,
                };
                let report = relay::report(tx, &account, &session, &reporter, &new).await?;
                let key = relay::create_key(tx, &account, "Shop", "sessions:read", None).await?;
                Ok((report.id, key.key.id))
            })
        });
        let (report, key) = work.await?;
        let input = (world.account.clone(), gone, person(1)?);
        let work = live.relay.act(input, |tx, (account, gone, number)| {
            Box::pin(async move {
                let erasure = relay::begin_erasure(tx, &account, &gone).await?.id;
                let (stopped, _) =
                    relay::record_opt_out(tx, &account, &number, &Reach::Account).await?;
                Ok((erasure, stopped.id))
            })
        });
        let (erasure, opt_out) = work.await?;
        Ok(Self { session, buyer, endpoint, contacts, opt_out, erasure, report, key })
    }
}

impl Contact {
    async fn read(raw: &mut Raw, id: &InteractionId) -> Result<Self> {
        let own = |what: &str, table: &str| {
            format!("SELECT {what} FROM {table} WHERE interaction = '{id}'")
        };
        let at = format!("SELECT CAST(created_at AS TEXT) FROM interactions WHERE id = '{id}'");
        let asked: Vec<String> = texts(raw, own("id", "outbox")).await?;
        let asked: Vec<String> = asked.iter().map(|id| format!("'{id}'")).collect();
        Ok(Self {
            at: texts(raw, at).await?.concat().parse()?,
            event: texts(raw, own("MAX(id)", "events")).await?.concat(),
            // A call may be put through with nothing asked: then there is no such row.
            outbox: if asked.is_empty() { "''".to_owned() } else { asked.join(", ") },
            id: id.clone(),
        })
    }
}

fn of(people: &[Participant], role: &str) -> Result<Participant> {
    let found = people.iter().find(|one| one.role == role);
    Ok(found.cloned().ok_or("nobody has that role")?)
}

impl Stage<'_> {
    async fn endpoint(&self) -> Result<String> {
        let new = NewEndpoint {
            url: EndpointUrl::new("https://market.example/events".to_owned()),
            description: "The marketplace".to_owned(),
            service: None,
            event_types: Vec::new(),
            enabled: true,
        };
        let input = (self.account.clone(), new);
        let made = self.live.relay.act(input, |tx, (account, new)| {
            Box::pin(async move { relay::create_endpoint(tx, &account, &new).await })
        });
        Ok(made.await?.endpoint.id.to_string())
    }

    /// Notes and a case id on a session, by somebody of the staff.
    async fn desk(&self, session: &SessionId) -> Result<()> {
        let invite = Invite { account: Some(self.account.clone()), ..Invite::admin("Ines Duval") };
        let link = self.live.relay.create_staff(invite).await?;
        let browser =
            self.live.relay.redeem_link(&link, "").await?.ok_or("the link opens nothing")?;
        let visitor = self.live.relay.visitor(&browser).await?.ok_or("the browser is unknown")?;
        let case = CaseId::parse("case-4711").ok_or("no case id")?;
        let input = (self.account.clone(), session.clone(), visitor.staff.id, case);
        let noted = self.live.relay.act(
            input,
            |tx, (account, session, staff, case): (AccountId, SessionId, StaffId, CaseId)| {
                Box::pin(async move {
                    for turn in 0..NOTES {
                        let body = Body::new(format!("Asked both of them, the {turn}th time."));
                        relay::note_session(tx, &account, &session, &staff, &body).await?;
                    }
                    relay::set_session_case(tx, &account, &session, Some(&case)).await
                })
            },
        );
        noted.await?;
        Ok(())
    }

    async fn tell(&self, event: Inbound) -> Result<()> {
        self.live.relay.handle(CARRIER, &event).await?;
        Ok(())
    }

    /// The last call or text, and the legs to and from us.
    async fn last(&self) -> Result<(InteractionId, LegId, LegId)> {
        let mut tx = self.live.relay.db().read().await?;
        let page = Page { before: None, after: None, limit: 1 };
        let found = interactions::list(&mut tx, self.account, &Filter::default(), &page).await?;
        let last = found.into_iter().next().ok_or("nothing came in")?;
        let legs = legs::of_interaction(&mut tx, self.account, &last.id).await?;
        let leg = |direction| {
            let found = legs.iter().find(|leg| leg.direction == direction);
            found.map(|leg| leg.id.clone()).ok_or_else(|| format!("{last:?} has no such leg"))
        };
        Ok((last.id.clone(), leg(Direction::Inbound)?, leg(Direction::Outbound)?))
    }

    async fn text(&self, from: u32, to: &ProxyNumber) -> Result<InteractionId> {
        self.tell(Inbound::Message(InboundMessage {
            id: unique(),
            from: Caller::Number(person(from)?),
            to: to.clone(),
            body: Body::new("Shall we meet at noon?".to_owned()),
            media: Vec::new(),
            part: None,
        }))
        .await?;
        let (id, _, out) = self.last().await?;
        for state in [MessageState::Sent, MessageState::Delivered] {
            self.tell(Inbound::MessageStatus(MessageStatus {
                price: None,
                leg: Some(out.clone()),
                id: format!("SM{out}"),
                state,
                carrier_code: None,
            }))
            .await?;
        }
        Ok(id)
    }

    async fn call(&self, from: u32, to: &ProxyNumber, ends: CallState) -> Result<InteractionId> {
        let from: Identifier = person(from)?;
        self.tell(Inbound::Call(InboundCall {
            attestation: Attestation::None,
            id: unique(),
            from: Caller::Number(from),
            to: to.clone(),
        }))
        .await?;
        let (id, inbound, out) = self.last().await?;
        let answered = ends == CallState::Completed;
        let states = [Some(CallState::Ringing), answered.then_some(CallState::Answered)];
        for state in states.into_iter().flatten() {
            self.tell(Inbound::CallStatus(CallStatus {
                price: None,
                leg: Some(out.clone()),
                id: format!("CA{out}"),
                state,
                duration: None,
                carrier_code: None,
            }))
            .await?;
        }
        self.tell(Inbound::DialEnded(DialEnded {
            leg: inbound,
            state: ends,
            duration: answered.then_some(Duration::from_secs(95)),
            caller_gone: false,
            turn: 0,
        }))
        .await?;
        Ok(id)
    }
}

/// What no other call or text is known by.
fn unique() -> String {
    let id: RequestId = Ids::default().make(entremise::clock::Clock::system().now());
    id.to_string()
}

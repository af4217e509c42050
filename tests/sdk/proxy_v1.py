"""Drives every method of the official Python SDK's proxy.v1, and every error that it can meet.

    proxy_v1.py BASE_URL ACCOUNT_SID AUTH_TOKEN API_KEY OTHER_SID OTHER_TOKEN
"""

import asyncio
import datetime
import json
import sys
import time
import urllib.request

import twilio
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

BASE, SID, TOKEN, KEY, OTHER_SID, OTHER_TOKEN = sys.argv[1:7]
OLD = twilio.__version__.startswith("6.")
CREATED = datetime.timedelta(minutes=5)
# A person or a proxy number of each test's own: NPA 555 0100 to 0199 can be nobody's.
NUMBERS = iter(f"+1{npa}5550{n}" for npa in (212, 312, 646) for n in range(100, 200))
PROXIES = iter(f"+1{npa}5550{n}" for npa in (415, 510) for n in range(100, 200))


def client(user=SID, password=TOKEN, account=None):
    made = Client(user, password, account)
    made.proxy.base_url = BASE
    return made


c = client()
services = c.proxy.v1.services


def equal(found, wanted, what):
    assert found == wanted, f"{what} is {found!r}, not {wanted!r}"


def looks(found, prefix, what):
    fine = isinstance(found, str) and len(found) == 34 and found.startswith(prefix)
    assert fine, f"{what} is {found!r}, not {prefix} and 32 hex digits"


def is_date(found, what):
    assert isinstance(found, datetime.datetime), f"{what} is {found!r}, not a datetime"
    age = datetime.datetime.now(datetime.timezone.utc) - found
    assert abs(age) < CREATED, f"{what} is {age} ago"


def refused(status, code, work):
    try:
        found = work()
    except TwilioRestException as error:
        equal((error.status, error.code), (status, code), f"the refusal “{error.msg}”")
        return error
    raise AssertionError(f"{code} was to be raised, and this came back: {found!r}")


def native(method, path, body=None, base="/api/v1"):
    """The native API, or the phones' with another base."""
    request = urllib.request.Request(
        BASE + base + path,
        data=None if body is None else json.dumps(body).encode(),
        method=method,
        headers={"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read() or b"null")


def phone(number):
    return native("POST", "/phones", {"name": number[-4:], "number": number}, "/sandbox/api")["id"]


def until(what, work):
    """Asks again until there is an answer: calls and texts take their time."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        found = work()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what}: nothing in 30 seconds")


def a_service(name, numbers=0, **settings):
    service = services.create(unique_name=name, **settings)
    for _ in range(numbers):
        services(service.sid).phone_numbers.create(phone_number=next(PROXIES))
    return services(service.sid)


def a_session(service, people=(), **settings):
    session = service.sessions.create(**settings)
    for one in people:
        service.sessions(session.sid).participants.create(identifier=one)
    return service.sessions(session.sid)


def test_services():
    settings = dict(
        default_ttl=3600,
        callback_url="https://m.example/cb",
        geo_match_level="area-code",
        number_selection_behavior="avoid-sticky",
        intercept_callback_url="https://m.example/ask",
        out_of_session_callback_url="https://m.example/else",
        chat_instance_sid="IS" + "0a" * 16,
    )
    made = services.create(unique_name="services", **settings)
    looks(made.sid, "KS", "sid")
    equal(made.account_sid, SID, "account_sid")
    for name, value in settings.items():
        equal(getattr(made, name), value, name)
    is_date(made.date_created, "date_created")
    is_date(made.date_updated, "date_updated")
    equal(made.url, f"{BASE}/v1/Services/{made.sid}", "url")
    equal(made.links["sessions"], made.url + "/Sessions", "links.sessions")
    equal(made.links["phone_numbers"], made.url + "/PhoneNumbers", "links.phone_numbers")
    for named in (made.sid, "services"):
        equal(services(named).fetch().sid, made.sid, f"the service fetched by {named}")
    changed = services(made.sid).update(unique_name="services2", default_ttl=0, callback_url="")
    equal((changed.unique_name, changed.default_ttl, changed.callback_url), ("services2", 0, None), "the change")
    equal(changed.geo_match_level, "area-code", "what was not changed")
    equal(native("GET", f"/services/{made.sid}")["unique_name"], "services2", "in the native API")
    assert made.sid in [one.sid for one in services.list()], "the list has it"
    refused(400, 80602, lambda: services.create(unique_name="services2"))
    refused(400, 80701, lambda: services.create(unique_name=""))
    refused(400, 80701, lambda: services(made.sid).update(callback_url="https://127.0.0.1/"))
    equal(services(made.sid).delete(), True, "what delete gives")
    refused(404, 20404, services(made.sid).fetch)
    refused(404, 20404, services(made.sid).delete)


def test_phone_numbers():
    service, other = a_service("numbers"), a_service("numbers2")
    digits = next(PROXIES)
    made = service.phone_numbers.create(phone_number=digits, is_reserved=True)
    looks(made.sid, "PN", "sid")
    equal(made.account_sid, SID, "account_sid")
    equal((made.phone_number, made.friendly_name), (digits, digits), "the number")
    equal(made.iso_country, "US", "iso_country")
    equal(made.capabilities, {"sms": True, "mms": True, "voice": True, "fax": False}, "capabilities")
    equal((made.is_reserved, made.in_use), (True, 0), "is_reserved and in_use")
    is_date(made.date_created, "date_created")
    equal(made.url, f"{BASE}/v1/Services/{made.service_sid}/PhoneNumbers/{made.sid}", "url")
    refused(400, 80622, lambda: service.phone_numbers.create(phone_number=next(PROXIES), is_reserved=True))
    number = service.phone_numbers(made.sid)
    equal(number.update(is_reserved=False).is_reserved, False, "is_reserved after the change")
    equal(number.fetch().is_reserved, False, "is_reserved fetched")
    equal([one.sid for one in service.phone_numbers.list()], [made.sid], "the list")
    create, elsewhere = service.phone_numbers.create, other.phone_numbers.create
    refused(400, 80104, lambda: create(phone_number=digits))
    refused(400, 80101, lambda: elsewhere(phone_number=digits))
    refused(400, 80101, lambda: elsewhere(sid=made.sid))
    refused(400, 80406, lambda: create(phone_number="5550100"))
    refused(400, 80407, lambda: create(sid="PN12"))
    refused(400, 80301, lambda: create(sid="PN" + "0a" * 16))
    refused(400, 80701, lambda: create())
    theirs = client(OTHER_SID, OTHER_TOKEN).proxy.v1.services
    foreign = theirs(theirs.create(unique_name="numbers-" + twilio.__version__).sid)
    refused(400, 80601, lambda: foreign.phone_numbers.create(phone_number=digits))
    session = a_session(service, [next(NUMBERS)])
    equal(number.fetch().in_use, 1, "in_use with a session")
    refused(400, 80611, number.delete)
    session.update(status="closed")
    equal(number.delete(), True, "what delete gives")
    refused(404, 20404, number.fetch)
    equal(service.phone_numbers.list(), [], "the list after it")
    equal(elsewhere(sid=made.sid).sid, made.sid, "the number that came back")


def test_short_codes():
    service = a_service("short-codes")
    if not OLD:
        assert not hasattr(service, "short_codes"), "this SDK has short codes again"
        return
    code = service.short_codes("SC" + "0a" * 16)
    equal(service.short_codes.list(), [], "the list")
    refused(400, 80303, lambda: service.short_codes.create(sid="SC" + "0a" * 16))
    refused(404, 20404, code.fetch)
    refused(404, 20404, lambda: code.update(is_reserved=True))
    refused(404, 20404, code.delete)


def test_sessions():
    service = a_service("sessions", 1)
    one, two = next(NUMBERS), next(NUMBERS)
    expiry = datetime.datetime(2099, 5, 1, 1, 2, 3, tzinfo=datetime.timezone.utc)
    extra = {"fail_on_participant_conflict": True} if OLD else {}
    made = service.sessions.create(
        unique_name="Order #1",
        date_expiry=expiry,
        ttl=60,
        mode="voice-only",
        status="open",
        participants=[{"Identifier": one, "FriendlyName": "One"}, {"Identifier": two}],
        **extra,
    )
    looks(made.sid, "KC", "sid")
    equal((made.unique_name, made.status, made.ttl, made.mode), ("Order #1", "open", 60, "voice-only"), "the session")
    equal(made.date_expiry, expiry, "date_expiry")
    equal((made.closed_reason, made.date_started, made.date_ended), (None, None, None), "what is not yet")
    equal(made.date_last_interaction, None, "date_last_interaction")
    is_date(made.date_created, "date_created")
    equal(made.url, f"{BASE}/v1/Services/{made.service_sid}/Sessions/{made.sid}", "url")
    equal(sorted(made.links), ["interactions", "participants"], "links")
    session = service.sessions(made.sid)
    people = session.participants.list()
    equal(sorted(one.identifier for one in people), sorted([one, two]), "the identifiers")
    named = service.sessions.create(unique_name="order-1")
    equal(service.sessions("order-1").fetch().sid, named.sid, "the session fetched by name")
    equal(len(service.sessions.list()), 2, "how many the list has")
    equal(native("GET", f"/sessions/{made.sid}")["unique_name"], "Order #1", "in the native API")
    refused(400, 80603, lambda: service.sessions.create(unique_name="order-1"))
    refused(400, 80608, lambda: service.sessions.create(status="closed"))
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
    refused(400, 80701, lambda: service.sessions.create(date_expiry=past))
    refused(400, 80701, lambda: service.sessions.create(mode="telepathy"))
    refused(400, 80701, lambda: service.sessions.create(ttl=-1))
    refused(400, 80608, lambda: session.update(status="in-progress"))
    equal(session.update(ttl=90).ttl, 90, "ttl after the change")
    closed = session.update(status="closed")
    equal((closed.status, closed.closed_reason), ("closed", "api"), "the closed session")
    is_date(closed.date_ended, "date_ended")
    refused(400, 80607, lambda: session.update(ttl=60))
    refused(400, 80608, lambda: session.update(status="open"))
    again = session.update(status="in-progress", date_expiry=expiry)
    equal((again.status, again.closed_reason, again.date_ended), ("in-progress", None, None), "the reopened session")
    equal(again.date_expiry, expiry, "date_expiry after reopening")
    equal(session.delete(), True, "what delete gives")
    refused(404, 20404, session.fetch)
    equal(service.sessions("order-1").fetch().status, "open", "the other session")


def test_participants():
    service = a_service("participants", 2)
    one, two, three = next(NUMBERS), next(NUMBERS), next(NUMBERS)
    session = a_session(service)
    made = session.participants.create(identifier=one, friendly_name="One")
    looks(made.sid, "KP", "sid")
    equal((made.identifier, made.friendly_name), (one, "One"), "the participant")
    looks(made.proxy_identifier_sid, "PN", "proxy_identifier_sid")
    equal((made.account_sid, made.date_deleted), (SID, None), "account_sid and date_deleted")
    is_date(made.date_created, "date_created")
    equal(made.links["message_interactions"], made.url + "/MessageInteractions", "links")
    participant = session.participants(made.sid)
    equal(participant.fetch().identifier, one, "the identifier fetched")
    numbers = {number.sid: number.phone_number for number in service.phone_numbers.list()}
    equal(numbers[made.proxy_identifier_sid], made.proxy_identifier, "proxy_identifier")
    named = next(iter(numbers))
    create = session.participants.create
    refused(400, 80103, lambda: create(identifier=one))
    other = create(identifier=two, proxy_identifier_sid=named)
    equal(other.proxy_identifier_sid, named, "the named number")
    refused(400, 80609, lambda: create(identifier=three))
    equal(session.participants(other.sid).delete(), True, "what delete gives")
    is_date(session.participants(other.sid).fetch().date_deleted, "date_deleted")
    equal(len(session.participants.list()), 2, "how many the list has")
    refused(400, 80103, lambda: create(identifier=two))
    digits = numbers[made.proxy_identifier_sid]
    equal(create(identifier=three, proxy_identifier=digits).proxy_identifier, digits, "the number named by digits")
    refused(400, 80103, lambda: create(identifier=two))
    second = a_session(service).participants.create
    refused(400, 80604, lambda: second(identifier=one, proxy_identifier=digits))
    refused(400, 80605, lambda: second(identifier=one, proxy_identifier=next(PROXIES)))
    refused(400, 80402, lambda: second(identifier=digits))
    refused(400, 80404, lambda: second(identifier="+1555" + "1234567"))
    refused(400, 80304, lambda: second(identifier="messenger:123"))
    session.update(status="closed")
    refused(400, 80607, lambda: create(identifier=next(NUMBERS)))
    refused(404, 20404, lambda: session.participants("KP" + "0a" * 16).fetch())


def test_pools():
    def number_that_can(service, can):
        body = {"number": next(PROXIES), "service_id": service, "capabilities": [can]}
        native("POST", "/numbers", body)

    who = next(NUMBERS)

    def open_in(service, mode, identifier=who):
        return lambda: service.sessions.create(mode=mode, participants=[{"Identifier": identifier}])

    empty = a_service("pool-empty")
    refused(400, 80205, open_in(empty, "voice-only"))
    for name, can, mode, code in (
        ("pool-voice", "voice", "message-only", 80202),
        ("pool-sms", "sms", "voice-only", 80201),
    ):
        made = services.create(unique_name=name)
        number_that_can(made.sid, can)
        refused(400, code, open_in(services(made.sid), mode))
    service = a_service("pool", 1)
    refused(400, 80203, open_in(service, "voice-only", "+442079460100"))
    a_session(service, [who])
    refused(400, 80206, open_in(service, "message-only"))
    number = service.phone_numbers.list()[0]
    service.phone_numbers(number.sid).update(is_reserved=True)
    refused(400, 80207, open_in(service, "message-only", next(NUMBERS)))


def dialled(session, identifier):
    return next(one.proxy_identifier for one in session.participants.list() if one.identifier == identifier)


def test_interactions():
    service = a_service("interactions", 1)
    alice, bob = next(NUMBERS), next(NUMBERS)
    hers, his = phone(alice), phone(bob)
    session = a_session(service, [alice, bob], ttl=600)
    equal(session.fetch().date_expiry, None, "date_expiry before the first interaction")
    to = dialled(session, alice)
    sids = {one.identifier: one.sid for one in session.participants.list()}
    native("POST", f"/phones/{hers}/text", {"to": to, "text": "hello"}, "/sandbox/api")

    def delivered():
        found = session.interactions.list()
        return found if found and found[0].outbound_resource_status == "delivered" else None

    text = until("a text", delivered)[0]
    looks(text.sid, "KI", "sid")
    equal((text.type, text.data), ("Message", '{"body":"hello"}'), "the text")
    equal(text.inbound_participant_sid, sids[alice], "inbound_participant_sid")
    equal(text.outbound_participant_sid, sids[bob], "outbound_participant_sid")
    equal(text.inbound_resource_status, "received", "inbound_resource_status")
    for way in ("inbound", "outbound"):
        looks(getattr(text, f"{way}_resource_sid"), "SM", f"{way}_resource_sid")
        equal(getattr(text, f"{way}_resource_type"), "Message", f"{way}_resource_type")
    is_date(text.date_created, "date_created")
    live = session.fetch()
    equal(live.status, "in-progress", "the status after it")
    is_date(live.date_started, "date_started")
    assert live.date_expiry, "date_expiry is known after an interaction"

    native("POST", f"/phones/{hers}/dial", {"to": to}, "/sandbox/api")

    def ringing():
        found = native("GET", f"/phones/{his}", None, "/sandbox/api")["calls"]
        return next((one["id"] for one in found if one["stage"] == "ringing"), None)

    call = until("ringing", ringing)
    native("POST", f"/phones/{his}/answer", {"call": call}, "/sandbox/api")
    native("POST", f"/phones/{his}/hang_up", {"call": call}, "/sandbox/api")

    def over():
        found = [one for one in session.interactions.list() if one.type == "Voice"]
        return found[0] if found and found[0].data != "{}" else None

    call = until("a call", over)
    assert json.loads(call.data)["duration"].isdigit(), f"data is {call.data}"
    looks(call.inbound_resource_sid, "CA", "inbound_resource_sid")
    equal(call.outbound_resource_type, "Call", "outbound_resource_type")
    interaction = session.interactions(text.sid)
    equal(interaction.fetch().data, text.data, "the text fetched")
    equal(interaction.delete(), True, "what delete gives")
    refused(404, 20404, interaction.fetch)
    equal([one.sid for one in session.interactions.list()], [call.sid], "the list after it")


def test_message_interactions():
    service = a_service("message-interactions", 1)
    alice, bob = next(NUMBERS), next(NUMBERS)
    phone(alice)
    session = a_session(service, [alice, bob])
    sid = next(one.sid for one in session.participants.list() if one.identifier == alice)
    participant = session.participants(sid)
    made = participant.message_interactions.create(body="Your ride is here")
    looks(made.sid, "KI", "sid")
    equal((made.participant_sid, made.outbound_participant_sid), (sid, sid), "the participant")
    equal(made.data, '{"body":"Your ride is here"}', "data")
    equal(made.inbound_participant_sid, None, "inbound_participant_sid")
    equal((made.type, made.outbound_resource_type), ("Message", "Message"), "the types")
    fetched = participant.message_interactions(made.sid).fetch()
    equal((fetched.sid, fetched.data), (made.sid, made.data), "what is fetched")
    equal([one.sid for one in participant.message_interactions.list()], [made.sid], "the list")
    refused(400, 80701, lambda: participant.message_interactions.create(media_url=["https://m.example/a.png"]))
    mute = a_session(service, [next(NUMBERS)], mode="voice-only")
    sid = mute.participants.list()[0].sid
    refused(400, 80910, lambda: mute.participants(sid).message_interactions.create(body="x"))
    mute.update(status="closed")
    refused(400, 80607, lambda: mute.participants(sid).message_interactions.create(body="x"))


def test_paging():
    service = a_service("paging")
    made = [service.sessions.create().sid for _ in range(7)]
    equal([one.sid for one in service.sessions.list(page_size=2)], made[::-1], "the sessions in pages of two")
    equal(len(service.sessions.list(limit=3)), 3, "how many with a limit of 3")
    equal(len(list(service.sessions.stream(page_size=3))), 7, "how many are streamed")
    first = service.sessions.page(page_size=3)
    equal(first.previous_page_url, None, "what comes before the first page")
    second = first.next_page()
    equal([one.sid for one in second], made[::-1][3:6], "the second page")
    again = second.previous_page()
    equal([one.sid for one in again], made[::-1][:3], "the first page, come back to")
    got = service.sessions.get_page(first.next_page_url)
    equal([one.sid for one in got], made[::-1][3:6], "the page by its address")
    last = got.next_page()
    equal(last.next_page_url, None, "what comes after the last page")


def test_credentials():
    refused(401, 20003, lambda: client(SID, "wrong").proxy.v1.services("any").fetch())
    refused(401, 20003, lambda: client(OTHER_SID, TOKEN).proxy.v1.services("any").fetch())
    assert client(SID, KEY).proxy.v1.services.list(limit=1), "the account with an API key"
    key = native("GET", "/api-keys")["data"][0]["id"]
    named = client("SK" + key[2:], KEY, SID)
    assert named.proxy.v1.services.list(limit=1), "the key by itself"
    reader = native("POST", "/api-keys", {"name": "reader", "scopes": ["sessions:read"]})["secret"]
    refused(403, 20403, lambda: client(SID, reader).proxy.v1.services("any").fetch())
    mine = services.list(limit=1)[0].sid
    refused(404, 20404, lambda: client(OTHER_SID, OTHER_TOKEN).proxy.v1.services(mine).fetch())


def test_other_clients():
    """A custom HTTP client that rewrites addresses, and the asynchronous one."""
    from twilio.http.http_client import TwilioHttpClient

    class Relay(TwilioHttpClient):
        def request(self, method, url, *rest, **named):
            return super().request(method, url.replace("https://proxy.twilio.com", BASE), *rest, **named)

    other = Client(SID, TOKEN, http_client=Relay())
    assert other.proxy.v1.services.list(page_size=1), "through a client that rewrites addresses"
    if OLD:
        return
    from twilio.http.async_http_client import AsyncTwilioHttpClient

    async def work():
        async with AsyncTwilioHttpClient() as http_client:
            async_client = Client(SID, TOKEN, http_client=http_client)
            async_client.proxy.base_url = BASE
            made = await async_client.proxy.v1.services.create_async(unique_name="async")
            found = await async_client.proxy.v1.services.list_async(page_size=2)
            assert made.sid in [one.sid for one in found], "the list has it"
            equal(await async_client.proxy.v1.services(made.sid).delete_async(), True, "what delete gives")

    asyncio.run(work())


def main():
    failed = 0
    for name, test in list(globals().items()):
        if not name.startswith("test_"):
            continue
        try:
            test()
            print(f"  ok    {name}")
        except Exception as error:  # each failure says what differed
            failed += 1
            kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
            line = error.__traceback__
            while line.tb_next and line.tb_next.tb_frame.f_code.co_filename == __file__:
                line = line.tb_next
            print(f"  FAILED {name}, line {line.tb_lineno}: {kind}{error}")
    sys.exit(1 if failed else 0)


main()

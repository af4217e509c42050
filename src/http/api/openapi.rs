//! The OpenAPI 3.1 document: what the annotations say, and what is the same for every operation.

use serde_json::{Map, Value, json};
use utoipa::OpenApi as _;

use super::routes::{Annotated, BY_ID, BY_NAME};
use crate::http::problem::Code;

const ABOUT: &str = "Masked calls and texts between two people who met on a marketplace. A person's \
    number goes in and never comes out: reads show it masked.\n\nErrors are problems (RFC 9457) \
    with a stable `code`, and name every fault at once. Every write takes an `Idempotency-Key`, \
    every change an `If-Match`. Lists have opaque cursors. Members may be added to answers at any \
    time, and values to enumerations: ignore what you do not know.";

/// The document, for a server at `url`.
pub(super) fn document(url: &str) -> Value {
    let mut document = serde_json::to_value(Annotated::openapi()).unwrap_or_default();
    document["info"] = json!({
        "title": "Entremise",
        "version": "1",
        "description": ABOUT,
        "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
    });
    document["servers"] = json!([{ "url": url }]);
    document["components"]["securitySchemes"] = json!({
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "emk_…",
            "description": "An API key. HTTP Basic with the key as user does the same.",
        },
    });
    document["components"]["schemas"]["Problem"] = problem();
    document["components"]["parameters"] = parameters();
    document["components"]["responses"] = responses();
    document["components"]["headers"] = headers();
    by_name(&mut document);
    let paths = document["paths"].as_object_mut();
    for (path, item) in paths.into_iter().flatten() {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            complete(path, method, operation);
        }
    }
    // The one member that a new thing must have, where a change is of the same type.
    for (noun, member) in [("services", "unique_name"), ("endpoints", "url")] {
        let body = document
            .pointer_mut(&format!("/paths/~1api~1v1~1{noun}/post/requestBody/content"))
            .and_then(|content| content.pointer_mut("/application~1json/schema"));
        if let Some(body) = body {
            *body = json!({ "allOf": [body.take(), { "required": [member] }] });
        }
    }
    document
}

/// Everything below a session is also below its service, where unique names will do.
fn by_name(document: &mut Value) {
    let Some(paths) = document["paths"].as_object() else { return };
    let mut twins = Map::new();
    for (path, item) in paths {
        let Some(rest) = path.strip_prefix(BY_ID) else { continue };
        let mut twin = item.clone();
        for operation in twin.as_object_mut().into_iter().flat_map(Map::values_mut) {
            let id = operation["operationId"].as_str().unwrap_or_default();
            operation["operationId"] = json!(format!("{id}ByName"));
            operation["tags"] = json!(["Sessions by name"]);
        }
        twins.insert(format!("{BY_NAME}{rest}"), twin);
    }
    if let Some(paths) = document["paths"].as_object_mut() {
        paths.extend(twins);
    }
}

/// Adds what every operation of its sort has.
fn complete(path: &str, method: &str, operation: &mut Value) {
    let mut shared: Vec<String> = path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| {
            if name == "session" && path.starts_with(BY_NAME) {
                "session_or_name".to_owned()
            } else {
                name.to_owned()
            }
        })
        .collect();
    let mut refusals = vec!["400", "401", "403", "429", "500", "503"];
    let single = path.ends_with('}');
    if !shared.is_empty() || operation.to_string().contains("service") {
        refusals.push("404");
    }
    if path.ends_with("/available-numbers") {
        // The one read that asks a carrier.
        refusals.push("409");
    }
    if method == "get" {
        if single {
            shared.push("If-None-Match".to_owned());
            operation["responses"]["304"] = json!({ "description": "Nothing has changed" });
        }
    } else {
        let named = shared.iter().any(|name| name != "key");
        shared.extend(["Idempotency-Key".to_owned(), "Audit-Reason".to_owned()]);
        refusals.extend(["409", "413", "415", "422"]);
        if named {
            shared.push("If-Match".to_owned());
            refusals.push("412");
        }
    }
    let mut parameters: Vec<Value> = shared
        .iter()
        .map(|name| json!({ "$ref": format!("#/components/parameters/{name}") }))
        .collect();
    parameters.extend(operation["parameters"].as_array().cloned().unwrap_or_default());
    operation["parameters"] = Value::Array(parameters);
    for status in refusals {
        operation["responses"][status] =
            json!({ "$ref": format!("#/components/responses/Problem{status}") });
    }
    let sort = if method != "get" {
        Sort::Write
    } else if operation["parameters"].to_string().contains("\"cursor\"") {
        Sort::List
    } else {
        Sort::Read
    };
    for (status, response) in operation["responses"].as_object_mut().into_iter().flatten() {
        if status.starts_with('2') {
            response["headers"] = headers_of(status, sort);
        }
    }
}

/// What sort of operation it is, as its answer's headers tell.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    List,
    Read,
    Write,
}

fn headers_of(status: &str, sort: Sort) -> Value {
    let mut names = vec!["Request-Id", "RateLimit-Policy", "RateLimit"];
    if status == "201" {
        names.push("Location");
    }
    if status != "204" && sort != Sort::List {
        names.push("ETag");
    }
    match sort {
        Sort::Write => names.push("Idempotent-Replayed"),
        Sort::List => names.push("Link"),
        Sort::Read => {}
    }
    let header = |name| json!({ "$ref": format!("#/components/headers/{name}") });
    names.into_iter().map(|name| (name.to_owned(), header(name))).collect::<Map<_, _>>().into()
}

fn headers() -> Value {
    [
        ("Request-Id", "The request, as it stands in the log"),
        ("RateLimit-Policy", "The quota `q` per window of `w` seconds"),
        ("RateLimit", "The requests that are left, `r`, and the seconds until there are more, `t`"),
        ("Location", "Where the new thing is"),
        ("ETag", "The version, where the thing has one"),
        ("Idempotent-Replayed", "`true` if this is the answer of an earlier request"),
        ("Link", "The next page (RFC 8288), if there is one"),
    ]
    .into_iter()
    .map(|(name, about)| {
        (name.to_owned(), json!({ "description": about, "schema": { "type": "string" } }))
    })
    .collect::<Map<_, _>>()
    .into()
}

fn parameters() -> Value {
    let path = |name: &str, about: &str, schema: Value| {
        json!({
            "name": name, "in": "path", "required": true, "description": about, "schema": schema,
        })
    };
    let header = |name: &str, about: &str, schema: Value| {
        json!({
            "name": name, "in": "header", "required": false, "description": about,
            "schema": schema,
        })
    };
    let id = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let text = || json!({ "type": "string" });
    json!({
        "service": path("service", "The service's id or unique name", text()),
        "session": path("session", "The session's id", id("SessionId")),
        "session_or_name": path("session", "The session's id or unique name", text()),
        "participant": path("participant", "The participant's id", id("ParticipantId")),
        "number": path("number", "The number's id", id("NumberId")),
        "erasure": path("erasure", "The erasure's id", id("ErasureId")),
        "move": path("move", "The move's id", id("MoveId")),
        "hold": path("hold", "The legal hold's id", id("HoldId")),
        "opt_out": path("opt_out", "The opt-out's id", id("OptOutId")),
        "report": path("report", "The report's id", id("ReportId")),
        "pause": path("pause", "The pause's id", id("PauseId")),
        "order": path("order", "The number order's id", id("NumberOrderId")),
        "interaction": path("interaction", "The interaction's id", id("InteractionId")),
        "endpoint": path("endpoint", "The endpoint's id", id("EndpointId")),
        "event": path("event", "The event's id", id("EventId")),
        "verification": path(
            "verification", "The verification's id", id("VerificationId"),
        ),
        "key": path("key", "The API key's id", id("KeyId")),
        "Idempotency-Key": header(
            "Idempotency-Key",
            "The same key gets the same answer for 24 hours, and the write is done once. Quoted or \
             bare, visible ASCII.",
            json!({ "type": "string", "minLength": 1, "maxLength": 257 }),
        ),
        "Audit-Reason": header(
            "Audit-Reason",
            "Why it is done, for the audit log: no telephone number. It is sealed.",
            json!({ "type": "string", "minLength": 1, "maxLength": 200 }),
        ),
        "If-Match": header(
            "If-Match",
            "The `ETag` that was read: the change is refused if there is a newer version",
            text(),
        ),
        "If-None-Match": header(
            "If-None-Match",
            "An `ETag` that was read: 304 if it is still the current one",
            text(),
        ),
    })
}

fn responses() -> Value {
    let mut responses = Map::new();
    for status in
        ["400", "401", "403", "404", "409", "412", "413", "415", "422", "429", "500", "503"]
    {
        let codes: Vec<&Code> =
            Code::ALL.iter().filter(|code| code.status().as_str() == status).collect();
        let words: Vec<String> =
            codes.iter().map(|code| format!("`{code}`: {}", code.title())).collect();
        let example = codes.first().map(|code| {
            json!({
                "type": format!("/problems/{code}"),
                "title": code.title(),
                "status": code.status().as_u16(),
                "code": code.as_str(),
                "detail": code.meaning(),
                "retryable": code.retryable(),
                "request_id": "RQ019343fd1c3a7e63a1c0bb0f3e9a1d52",
            })
        });
        let response = json!({
            "description": words.join("; "),
            "content": { "application/problem+json": {
                "schema": { "$ref": "#/components/schemas/Problem" },
                "example": example,
            }},
        });
        responses.insert(format!("Problem{status}"), response);
    }
    Value::Object(responses)
}

fn problem() -> Value {
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    let fault = json!({
        "type": "object",
        "required": ["code", "detail"],
        "properties": {
            "pointer": { "type": "string", "description": "JSON Pointer into the body" },
            "parameter": {
                "type": "string", "description": "Name of the query parameter or header",
            },
            "code": { "type": "string" },
            "detail": { "type": "string", "description": "What is allowed; never the value" },
        },
    });
    let step = json!({
        "type": "object",
        "properties": {
            "rule": { "$ref": "#/components/schemas/PoolRule" }, "left": { "type": "integer" },
        },
    });
    json!({
        "type": "object",
        "description": "RFC 9457. No problem repeats a value that was sent.",
        "required": ["type", "title", "status", "code", "detail", "retryable"],
        "properties": {
            "type": { "type": "string", "description": "`/problems/<code>`, a page of this server" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "code": { "type": "string", "enum": codes },
            "detail": { "type": "string" },
            "retryable": {
                "type": "boolean", "description": "Whether the same request may work later",
            },
            "request_id": { "type": "string" },
            "errors": { "type": "array", "items": fault },
            "scope": { "type": "string", "description": "The scope that the key lacks" },
            "rule": { "$ref": "#/components/schemas/PoolRule" },
            "participant": {
                "type": "integer", "description": "Who got no number: the place in the list",
            },
            "steps": { "type": "array", "items": step },
            "next_free_at": { "$ref": "#/components/schemas/Time" },
            "limit": { "type": "string", "description": "What keeps a code from being sent now" },
            "verification_status": { "$ref": "#/components/schemas/VerificationStatus" },
            "carrier_code": { "type": "string", "description": "What the carrier calls it" },
        },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::http::api::routes::list;

    /// The router and the document have the same operations.
    #[test]
    fn every_route_is_in_the_document() {
        let routed: BTreeSet<(String, String)> = list().into_iter().collect();
        assert_eq!(routed.len(), list().len(), "a route is listed twice");
        let mut documented = BTreeSet::new();
        for (path, item) in document("/")["paths"].as_object().unwrap() {
            for method in item.as_object().unwrap().keys() {
                documented.insert((method.to_uppercase(), path.clone()));
            }
        }
        assert_eq!(routed, documented);
    }

    /// What differs from what the types would say: sound is bytes, a search may be refused by the carrier,
    /// and nobody orders a release.
    #[test]
    fn answers_are_what_they_are() {
        let document = document("/");
        let sound = &document["components"]["schemas"]["Sound"];
        assert_eq!(
            sound,
            &json!({
                "type": "string", "format": "binary", "description": sound["description"],
            })
        );
        let at = |path: &str, method: &str| {
            let path = path.replace('/', "~1");
            document.pointer(&format!("/paths/{path}/{method}")).cloned().unwrap_or_default()
        };
        let voicemail = at("/api/v1/interactions/{interaction}/voicemail", "get");
        let schema = voicemail.pointer("/responses/200/content/audio~1mpeg/schema").cloned();
        assert_eq!(schema, Some(json!({ "$ref": "#/components/schemas/Sound" })));
        let search = at("/api/v1/available-numbers", "get");
        assert!(search["responses"]["409"].is_object());
        let kinds = &document["components"]["schemas"]["NewOrderKind"]["enum"];
        assert_eq!(kinds, &json!(["buy", "adopt"]));
    }

    /// Every reference leads somewhere, and every operation has an id of its own.
    #[test]
    fn references_lead_somewhere() {
        fn walk(value: &Value, document: &Value) {
            if let Some(to) = value.get("$ref").and_then(Value::as_str) {
                assert!(document.pointer(to.trim_start_matches('#')).is_some(), "{to}");
            }
            match value {
                Value::Object(members) => members.values().for_each(|one| walk(one, document)),
                Value::Array(items) => items.iter().for_each(|one| walk(one, document)),
                _ => {}
            }
        }
        let document = document("/");
        walk(&document, &document);
        let mut ids = BTreeSet::new();
        for item in document["paths"].as_object().unwrap().values() {
            for operation in item.as_object().unwrap().values() {
                assert!(ids.insert(operation["operationId"].as_str().unwrap()));
            }
        }
    }
}

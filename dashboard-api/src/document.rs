//! The OpenAPI document: what stands in it beside the routes.

use std::collections::BTreeSet;

use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::{Components, OpenApi, Paths, RefOr, Schema};

use crate::schema;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Jiming",
        description = "Incidents, events and devices of a residential compound, live. Log in with a session cookie or a bearer token.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(schema::Problem, schema::Heartbeat, schema::words::Verb))
)]
pub(crate) struct Document;

/// Answers that leave out members without a value.
const PARTIAL: [&str; 4] = ["Due", "Enrolled", "Problem", "ReportTaken"];

/// Everywhere else a member without a value is written as null. The document says that it is there, so that a client made from it need
/// not ask. Of what clients send nothing more is demanded.
pub(crate) fn whole(mut document: OpenApi) -> OpenApi {
    let sent = sent(&document.paths);
    let schemas = document
        .components
        .as_mut()
        .map(|Components { schemas, .. }| schemas);
    for (name, schema) in schemas.into_iter().flatten() {
        if !PARTIAL.contains(&name.as_str()) && !sent.contains(name) {
            require(schema);
        }
    }
    document
}

fn require(schema: &mut RefOr<Schema>) {
    match schema {
        RefOr::T(Schema::Object(object)) => {
            for name in object.properties.keys() {
                if !object.required.contains(name) {
                    object.required.push(name.clone());
                }
            }
        }
        RefOr::T(Schema::AllOf(parts)) => parts.items.iter_mut().for_each(require),
        _ => {}
    }
}

fn operations(item: &PathItem) -> impl Iterator<Item = &Operation> {
    [&item.get, &item.put, &item.post, &item.delete]
        .into_iter()
        .flatten()
}

/// Names of the schemas of bodies that clients send.
fn sent(paths: &Paths) -> BTreeSet<String> {
    paths
        .paths
        .values()
        .flat_map(operations)
        .filter_map(|operation| operation.request_body.as_ref())
        .flat_map(|body| body.content.values())
        .filter_map(|content| match &content.schema {
            Some(RefOr::Ref(name)) => name.ref_location.rsplit('/').next(),
            _ => None,
        })
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_an_id_of_its_own() {
        let document = crate::openapi();
        let mut seen = BTreeSet::new();
        for operation in document.paths.paths.values().flat_map(operations) {
            let id = operation.operation_id.clone().unwrap_or_default();
            assert!(
                !id.is_empty() && seen.insert(id.clone()),
                "{id} comes twice"
            );
        }
        assert!(seen.len() > 30);
    }

    #[test]
    fn members_without_a_value_are_there_in_answers_and_not_asked_of_requests() {
        let document = serde_json::to_value(crate::openapi()).expect("serialises");
        let required = |name: &str, member: &str| {
            let schema = &document["components"]["schemas"][name];
            schema["properties"][member].is_object()
                && schema["required"]
                    .as_array()
                    .is_some_and(|all| all.iter().any(|one| one == member))
        };
        assert!(required("IncidentItem", "closed_at"));
        assert!(required("Alarm", "shelved"));
        assert!(!required("Request", "note"));
        assert!(!required("NewSwap", "from"));
        assert!(!required("Problem", "field"));
        assert!(!required("Due", "review"));
    }
}

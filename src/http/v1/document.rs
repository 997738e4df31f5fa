//! What every route has in common, so that handlers describe only what is their own.

use outdial_workflows::outward;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::{ContentBuilder, ObjectBuilder, OpenApi, Ref, RefOr, Required, ResponseBuilder, Type};

use super::once;

/// Adds to each operation what may be answered to any, and to each POST its idempotency key.
pub(super) fn complete(document: &mut OpenApi) {
    events(document);
    for item in document.paths.paths.values_mut() {
        let posts = item.post.is_some();
        let each = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        for operation in each.into_iter().flatten() {
            answers(operation, "401", "No key, or none that is good");
            answers(operation, "429", "Too many requests with this key: `Retry-After` says when to go on");
            answers(operation, "503", "The database does not answer, or is busy: try again");
            if operation.request_body.is_some() {
                answers(operation, "400", "The body is not JSON");
                answers(operation, "413", "The body is too large");
                answers(operation, "415", "The body is not said to be JSON");
            }
            if posts || operation.request_body.is_some() || operation.parameters.is_some() {
                answers(operation, "422", "Parts of it are wrong: `errors` names them");
            }
        }
        if let Some(post) = &mut item.post {
            answers(post, "409", "A request under the same Idempotency-Key is being carried out");
            post.parameters.get_or_insert_default().push(RefOr::T(
                ParameterBuilder::new()
                    .name("Idempotency-Key")
                    .parameter_in(ParameterIn::Header)
                    .required(Required::False)
                    .description(Some(
                        "Chosen by you, new for each request: sent again under it within a day, the request is \
                         answered as before and not carried out again.",
                    ))
                    .schema(Some(
                        ObjectBuilder::new()
                            .schema_type(Type::String)
                            .min_length(Some(1))
                            .max_length(Some(once::KEY_CHARS)),
                    ))
                    .build(),
            ));
        }
    }
}

/// Says which types of events there are, where the document tells of events.
fn events(document: &mut OpenApi) {
    let told = document.tags.iter_mut().flatten().find(|tag| tag.name == "events");
    if let Some(tag) = told {
        let types = outward::TYPES.iter().map(|(kind, meaning)| format!("\n- `{kind}`: {meaning}"));
        let about = tag.description.get_or_insert_default();
        about.push_str(
            ". Their types, by which subscribers and streams choose (`call.*` for all of a kind):\n",
        );
        about.extend(types);
    }
}

/// Unless it says so itself.
fn answers(operation: &mut Operation, status: &str, description: &str) {
    let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("ProblemDetails"))).build();
    let response =
        ResponseBuilder::new().description(description).content("application/problem+json", problem).build();
    operation.responses.responses.entry(status.to_owned()).or_insert(RefOr::T(response));
}

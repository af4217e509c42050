//! Every route, once: the router and the OpenAPI document are made of this list.

use axum::{
    Router,
    routing::{delete, get, patch, post, put},
};
use utoipa::OpenApi;

use super::{
    Api, account, assurance, audit, available, calls, carriers, deliveries, endpoints, events,
    interactions, keys, legal_holds, messages, number_moves, number_orders, numbers, opening,
    opt_outs, participants, pauses, persons, recordings, reports, services, sessions, usage,
    verifications, wire,
};

/// Where a session is found by its own id.
pub(super) const BY_ID: &str = "/api/v1/sessions/{session}";
/// Where it is also found by its unique name.
pub(super) const BY_NAME: &str = "/api/v1/services/{service}/sessions/{session}";

macro_rules! routes {
    (
        { $($method:ident $path:literal $module:ident :: $handler:ident,)* }
        sessions { $($smethod:ident $rest:literal $smodule:ident :: $shandler:ident,)* }
    ) => {
        /// The router, without state.
        pub(super) fn router() -> Router<Api> {
            let router = Router::new();
            $(let router = router.route($path, $method($module::$handler));)*
            $(let router = router
                .route(&format!("{BY_ID}{}", $rest), $smethod($smodule::$shandler))
                .route(&format!("{BY_NAME}{}", $rest), $smethod($smodule::$shandler));)*
            router
        }

        /// Method and path of each route.
        pub(super) fn list() -> Vec<(String, String)> {
            let mut list = vec![$((stringify!($method).to_uppercase(), $path.to_owned()),)*];
            for at in [BY_ID, BY_NAME] {
                list.extend([$((stringify!($smethod).to_uppercase(), format!("{at}{}", $rest)),)*]);
            }
            list
        }

        /// What the annotations of the handlers say.
        #[derive(OpenApi)]
        #[openapi(
            paths($($module::$handler,)* $($smodule::$shandler,)*),
            // No body names them.
            components(schemas(wire::ActorKind, wire::AuditAction, wire::GroupBy))
        )]
        pub(super) struct Annotated;
    };
}

routes! {
    {
        get "/api/v1/account" account::read,
        get "/api/v1/api-keys" keys::list,
        post "/api/v1/api-keys" keys::create,
        delete "/api/v1/api-keys/{key}" keys::revoke,
        get "/api/v1/audit" audit::list,
        get "/api/v1/carriers" carriers::list,
        get "/api/v1/legal-holds" legal_holds::list,
        post "/api/v1/legal-holds" legal_holds::create,
        get "/api/v1/legal-holds/{hold}" legal_holds::read,
        delete "/api/v1/legal-holds/{hold}" legal_holds::lift,
        get "/api/v1/services" services::list,
        post "/api/v1/services" services::create,
        get "/api/v1/services/{service}" services::read,
        patch "/api/v1/services/{service}" services::update,
        get "/api/v1/numbers" numbers::list,
        post "/api/v1/numbers" numbers::create,
        get "/api/v1/numbers/{number}" numbers::read,
        patch "/api/v1/numbers/{number}" numbers::update,
        delete "/api/v1/numbers/{number}" numbers::retire,
        get "/api/v1/number-moves" number_moves::list,
        post "/api/v1/number-moves" number_moves::create,
        get "/api/v1/number-moves/{move}" number_moves::read,
        get "/api/v1/number-moves/{move}/steps" number_moves::list_steps,
        post "/api/v1/number-moves/{move}/undo" number_moves::undo,
        get "/api/v1/traffic-pauses" pauses::list,
        get "/api/v1/traffic-pauses/{pause}" pauses::read,
        post "/api/v1/traffic-pauses/{pause}/lift" pauses::lift,
        post "/api/v1/numbers/{number}/release" number_orders::release,
        get "/api/v1/available-numbers" available::search,
        get "/api/v1/number-orders" number_orders::list,
        post "/api/v1/number-orders" number_orders::create,
        get "/api/v1/number-orders/{order}" number_orders::read,
        post "/api/v1/persons/erase" persons::erase,
        post "/api/v1/persons/export" persons::export,
        get "/api/v1/erasures/{erasure}" persons::read,
        get "/api/v1/opt-outs" opt_outs::list,
        post "/api/v1/opt-outs" opt_outs::create,
        post "/api/v1/opt-outs/lookup" opt_outs::look_up,
        get "/api/v1/opt-outs/{opt_out}" opt_outs::read,
        post "/api/v1/opt-outs/{opt_out}/clear" opt_outs::clear,
        get "/api/v1/reports" reports::list,
        get "/api/v1/reports/{report}" reports::read,
        post "/api/v1/reports/{report}/resolve" reports::resolve,
        get "/api/v1/sessions" sessions::list,
        post "/api/v1/sessions" opening::create,
        get "/api/v1/interactions" interactions::list,
        get "/api/v1/interactions/{interaction}" interactions::read,
        get "/api/v1/interactions/{interaction}/voicemail" interactions::voicemail,
        get "/api/v1/interactions/{interaction}/recording" recordings::sound,
        post "/api/v1/interactions/{interaction}/recording/pause" recordings::pause,
        post "/api/v1/interactions/{interaction}/recording/resume" recordings::resume,
        post "/api/v1/interactions/{interaction}/recording/stop" recordings::stop,
        get "/api/v1/usage" usage::list,
        get "/api/v1/verifications" verifications::list,
        post "/api/v1/verifications" verifications::create,
        get "/api/v1/verifications/{verification}" verifications::read,
        post "/api/v1/verifications/{verification}/check" verifications::check,
        post "/api/v1/verifications/{verification}/cancel" verifications::cancel,
        post "/api/v1/verified-numbers/forget" verifications::forget,
        get "/api/v1/events" events::list,
        get "/api/v1/events/{event}" events::read,
        get "/api/v1/events/{event}/deliveries" deliveries::of_event,
        get "/api/v1/endpoints" endpoints::list,
        post "/api/v1/endpoints" endpoints::create,
        get "/api/v1/endpoints/{endpoint}" endpoints::read,
        patch "/api/v1/endpoints/{endpoint}" endpoints::update,
        delete "/api/v1/endpoints/{endpoint}" endpoints::delete,
        post "/api/v1/endpoints/{endpoint}/rotate-secret" endpoints::rotate,
        post "/api/v1/endpoints/{endpoint}/test" endpoints::test,
        post "/api/v1/endpoints/{endpoint}/resend" endpoints::resend,
        get "/api/v1/endpoints/{endpoint}/deliveries" deliveries::list,
        get "/api/v1/endpoints/{endpoint}/deliveries/{event}" deliveries::read,
        post "/api/v1/endpoints/{endpoint}/deliveries/{event}/resend" deliveries::resend,
    }
    sessions {
        get "" sessions::read,
        patch "" sessions::update,
        post "/close" sessions::close,
        post "/reopen" sessions::reopen,
        post "/resume" sessions::resume,
        post "/extend" sessions::extend,
        post "/participants" participants::create,
        delete "/participants/{participant}" participants::remove,
        put "/participants/{participant}/block" participants::block,
        delete "/participants/{participant}/block" participants::unblock,
        post "/participants/{participant}/report" reports::create,
        put "/participants/{participant}/pin" assurance::set_pin,
        delete "/participants/{participant}/pin" assurance::remove_pin,
        post "/messages" messages::create,
        post "/calls" calls::create,
    }
}

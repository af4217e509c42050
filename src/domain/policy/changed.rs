//! Which of a service's rules two versions differ in, by the names that the API has for them.

use super::{FirstTextRules, ProxyRules, RecordingRules, Rules, VerifiedRules, VoicemailRules};
use crate::domain::{assurance::AssuranceRules, audit::changed_fields};

impl Rules {
    /// The names of the settings in which `after` differs.
    pub fn changed(&self, after: &Self) -> Vec<&'static str> {
        let names = changed_fields!(Rules, self, after, {
            brand => "brand",
            language => "language",
            default_ttl => "default_ttl_seconds",
            quarantine => "quarantine_seconds",
            geo_match => "geo_match",
            geo_fallback => "geo_fallback",
            selection => "selection",
            participants_max => "participants_max",
            ring_timeout => "ring_timeout_seconds",
            call_max => "call_max_seconds",
            caller_announcement => "caller_announcement",
            callee_whisper => "callee_whisper",
            press_one => "press_one",
            team_ring => "team_ring",
            out_of_session => "out_of_session",
            out_of_session_announcement => "out_of_session_announcement",
            out_of_session_number => "out_of_session_number",
            out_of_session_text => "out_of_session_text",
            out_of_session_url => "out_of_session_url",
            missed_call_text => "missed_call_text",
            voicemail => "voicemail",
            recording => "recording",
            identifier_check => "identifier_check",
            keep_texts => "keep_texts",
            content => "content",
            retention => "retention",
            countries => "countries",
            limits => "limits",
            tell_limits => "tell_limits",
            assurance => "assurance",
            stop_words => "stop_words",
            help_text => "help_text",
            block_words => "block_words",
            media => "media",
            vcards => "vcards",
            tell_of_moves => "tell_of_moves",
            first_text => "first_text",
            verified => "verified_participants",
            sender_id => "sender_id",
            order_url => "order_url",
            proxy => "twilio_proxy",
        });
        let parts = |name: &'static str| match name {
            "verified_participants" => verified(&self.verified, &after.verified),
            "voicemail" => voicemail(&self.voicemail, &after.voicemail),
            "recording" => recording(&self.recording, &after.recording),
            "first_text" => first_text(&self.first_text, &after.first_text),
            "assurance" => assurance(self.assurance, after.assurance),
            "twilio_proxy" => proxy(&self.proxy, &after.proxy),
            other => vec![other],
        };
        names.into_iter().flat_map(parts).collect()
    }
}

fn voicemail(before: &VoicemailRules, after: &VoicemailRules) -> Vec<&'static str> {
    changed_fields!(VoicemailRules, before, after, {
        on => "voicemail",
        greeting => "voicemail_greeting",
        longest => "voicemail_seconds",
        text => "voicemail_text",
        kept => "voicemail_days",
    })
}

fn first_text(before: &FirstTextRules, after: &FirstTextRules) -> Vec<&'static str> {
    changed_fields!(FirstTextRules, before, after, {
        on => "first_text",
        words => "first_text_words",
    })
}

fn verified(before: &VerifiedRules, after: &VerifiedRules) -> Vec<&'static str> {
    changed_fields!(VerifiedRules, before, after, {
        required => "verified_participants",
        within => "verified_for_days",
    })
}

fn assurance(before: AssuranceRules, after: AssuranceRules) -> Vec<&'static str> {
    changed_fields!(AssuranceRules, &before, after, {
        a => "attestation/a",
        b => "attestation/b",
        c => "attestation/c",
        failed => "attestation/failed",
        none => "attestation/none",
        pin_for_withheld => "pin_for_withheld",
        pin_from_any_phone => "pin_from_any_phone",
        pin_fallback => "pin_fallback",
    })
}

fn recording(before: &RecordingRules, after: &RecordingRules) -> Vec<&'static str> {
    changed_fields!(RecordingRules, before, after, {
        rule => "recording",
        purpose => "recording_purpose",
        kept => "recording_days",
    })
}

fn proxy(before: &ProxyRules, after: &ProxyRules) -> Vec<&'static str> {
    changed_fields!(ProxyRules, before, after, {
        callback_url => "twilio_proxy/callback_url",
        intercept_callback_url => "twilio_proxy/intercept_callback_url",
        out_of_session_callback_url => "twilio_proxy/out_of_session_callback_url",
        chat_instance_sid => "twilio_proxy/chat_instance_sid",
        on_intercept_failure => "twilio_proxy/on_intercept_failure",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{phone::Identifier, policy::OrderUrl, sender::SenderId};

    /// What differs is named, its parts where it has some, and nothing else; no value is.
    #[test]
    fn names_and_no_values() {
        let before = Rules::new("Market".into());
        assert!(before.changed(&before).is_empty());
        let mut after = before.clone();
        after.keep_texts = true;
        after.out_of_session_number = Some(Identifier::parse("+33639980001").unwrap());
        after.voicemail.on = true;
        after.first_text.words = "Hello".into();
        after.sender_id = SenderId::parse("Bikes");
        after.order_url = OrderUrl::parse("https://market.example/{session}");
        after.proxy.callback_url = "https://market.example/secret".into();
        let names = [
            "out_of_session_number",
            "voicemail",
            "keep_texts",
            "first_text_words",
            "sender_id",
            "order_url",
            "twilio_proxy/callback_url",
        ];
        assert_eq!(before.changed(&after), names);
        assert_eq!(after.changed(&before), names);
    }
}

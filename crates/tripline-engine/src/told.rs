//! What a record says of its call, as numbers: what tells which resources it touches, and what it means.

use ahash::RandomState;
use tripline_baseline::{Touched, Touching, bytes_out, each_resource, each_resource_by, touching};
use tripline_cloudtrail::{JsonText, Record, keyed};
use tripline_iam::AccountId;

use crate::vocabulary::{KnownEvent, Vocabulary, Word};

/// What a record says of its call, but for when and in which session it was: calls of which the same is
/// told are the same to scope and habits. Numbers under a secret key, as in `known.rs`.
#[derive(Debug)]
pub(crate) struct Told {
    /// What tells which resources it touches.
    touching: u64,
    /// All the rest.
    beside: u64,
    /// What it all means. At first that is every word; once it is known what the call touches
    /// ([`Scratch::touched`]), the resources themselves stand in place of what tells which they are: the same is
    /// told of one resource in many words, and scope and habits ask for the resource alone. Of a call that was
    /// refused, or that may hand a role over, it stays every word.
    ///
    /// One call may be known in either form: that costs a second look, and nothing else.
    pub(crate) meant: u64,
    pub(crate) bytes_out: Option<u64>,
    pub(crate) network: Word<'static>,
    pub(crate) user_agent: Word<'static>,
}

/// Room for texts that have to be put together, and what they came to the last time.
#[derive(Debug)]
pub(crate) struct Scratch {
    pub(crate) text: String,
    /// The account of the last call, and as text: most calls are of the same one as the call before.
    last: Option<AccountId>,
    pub(crate) account: String,
    pub(crate) hasher: RandomState,
    pub(crate) found: Found,
    touched: TouchedBy,
}

/// The resources of one call.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// What was told of the call; none where another one may be told of in the same words.
    told: Option<u64>,
    texts: String,
    ends: Vec<usize>,
    touched: Touched,
    /// A hash of them, under a secret key.
    hash: u64,
}

/// What calls touched, each in the place that follows from what was told of it: in the lower 16 bits, below
/// the upper 48 of what was told; and a hash of the resources.
#[derive(Debug, Default)]
struct TouchedBy {
    places: Vec<(u64, u64)>,
}

/// How many calls are remembered of which it is known what they touched: 512 KiB.
const TOUCHED_MAX: usize = 32_768;

impl TouchedBy {
    #[inline]
    fn of(&self, told: u64) -> Option<(Touched, u64)> {
        let (place, hash) = self.places.get(told as usize % TOUCHED_MAX)?;
        ((place ^ told) >> 16 == 0).then_some((Touched::from_bits(*place as u16), *hash))
    }

    fn note(&mut self, told: u64, touched: Touched, hash: u64) {
        if self.places.is_empty() {
            self.places.resize(TOUCHED_MAX, (0, 0));
        }
        if let Some(place) = self.places.get_mut(told as usize % TOUCHED_MAX) {
            *place = (told >> 16 << 16 | u64::from(touched.bits()), hash);
        }
    }
}

impl Found {
    /// Looks for the resources of a call, unless it was for them that one looked last.
    pub(crate) fn look(
        &mut self,
        record: &Record<'_>,
        event: Option<&KnownEvent>,
        told: Option<&Told>,
        text: &mut String,
        hasher: &RandomState,
    ) {
        let told = told.map(|told| told.touching);
        if told.is_some() && self.told == told {
            return;
        }
        let Self { texts, ends, .. } = self;
        texts.clear();
        ends.clear();
        let mut touching = Touching::default();
        let mut note = |resource: &str| {
            touching.add(resource);
            texts.push_str(resource);
            ends.push(texts.len());
        };
        match event {
            Some(event) => each_resource_by(&event.naming, record, text, &mut note),
            None => each_resource(record, text, &mut note),
        }
        self.hash = hasher.hash_one((texts.as_str(), ends.as_slice()));
        self.touched = touching.finish();
        self.told = told;
    }

    pub(crate) fn resources(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(from, to)| self.texts.get(from..*to).unwrap_or_default())
    }
}

impl Scratch {
    /// Remembers nothing. `hash_seed` keys the tables; no result depends on it.
    pub(crate) fn new(hash_seed: u64) -> Self {
        Self {
            text: String::new(),
            last: None,
            account: String::new(),
            hasher: keyed(hash_seed, 54),
            found: Found::default(),
            touched: TouchedBy::default(),
        }
    }

    /// What a record says of its call; nothing where the event is not one of those that are known.
    #[inline]
    pub(crate) fn told(
        &mut self,
        record: &Record<'_>,
        event: u32,
        words: &mut Vocabulary,
    ) -> Option<Told> {
        self.note_home(record);
        let (network, user_agent) = words.around(record);
        let around = (words.network_hash(&network), words.user_agent_hash(&user_agent));
        let event = words.known_event(event)?.hash;
        let touching = self.hasher.hash_one((event, self.last, touching(record)));
        let bytes_out = bytes_out(record);
        // Of the bytes the magnitude is asked about.
        let magnitude = bytes_out.map(|bytes| bytes.leading_zeros());
        let error = record.error_code().map(JsonText::as_written);
        let account = record.recipient_account_text().map(JsonText::as_written);
        let beside = (event, self.last, account, magnitude, around, error);
        let beside = self.hasher.hash_one(beside);
        let meant = self.hasher.hash_one((touching, beside));
        Some(Told { touching, beside, meant, bytes_out, network, user_agent })
    }

    /// The same of a call that was set aside, with what it [meant](Told::meant), where that is known.
    pub(crate) fn told_again(
        &mut self,
        record: &Record<'_>,
        event: u32,
        words: &mut Vocabulary,
        meant: Option<u64>,
    ) -> Option<Told> {
        let told = self.told(record, event, words)?;
        Some(Told { meant: meant.unwrap_or(told.meant), ..told })
    }

    /// What a call touched; what it [means](Told::meant) follows from that. What was refused touched nothing.
    pub(crate) fn touched(
        &mut self,
        record: &Record<'_>,
        event: Option<&KnownEvent>,
        mut told: Option<&mut Told>,
    ) -> Touched {
        if record.is_denied() {
            return Touched::NOTHING;
        }
        let Self { text, found, touched, hasher, .. } = self;
        let known = told.as_ref().and_then(|told| touched.of(told.touching));
        let (what, hash) = known.unwrap_or_else(|| {
            found.look(record, event, told.as_deref(), text, hasher);
            if let Some(told) = &told {
                touched.note(told.touching, found.touched, found.hash);
            }
            (found.touched, found.hash)
        });
        // Which roles a call hands over is told in many places: then every word counts.
        if let Some(told) = &mut told
            && event.is_some_and(|event| !event.naming.may_pass_role())
        {
            told.meant = hasher.hash_one((told.beside, hash));
        }
        what
    }

    fn note_home(&mut self, record: &Record<'_>) {
        if record.identity().account_text().is_some_and(|it| it.as_written() == self.account) {
            return;
        }
        let account = record.identity().account();
        if account == self.last {
            return;
        }
        self.last = account;
        self.account.clear();
        if let Some(account) = account {
            // INVARIANT: writing to a string does not fail.
            let _ = std::fmt::Write::write_fmt(&mut self.account, format_args!("{account}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tripline_baseline::{Call, Network};

    use super::*;

    /// A call, with these changes.
    fn written(changes: &[(&str, &str)]) -> String {
        let mut text = r#"{"eventTime":"2026-11-20T10:00:00Z","eventID":"a",
            "eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"eu-west-1",
            "sourceIPAddress":"192.0.2.1","userAgent":"Boto3/1","errorCode":"NoSuchKey",
            "recipientAccountId":"210987654321",
            "userIdentity":{"type":"AssumedRole","arn":"arn:aws:x","accountId":"123456789012"},
            "requestParameters":{"bucketName":"b","key":"k"},
            "additionalEventData":{"bytesTransferredOut":100.0,"x":1}}"#
            .to_owned();
        for (from, to) in changes {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        text
    }

    /// What is told of a record with these changes.
    fn told(words: &mut Vocabulary, changes: &[(&str, &str)]) -> (u64, u64) {
        let text = written(changes);
        let record = Record::parse(&text).unwrap();
        let event = words.event(&record);
        let told = Scratch::new(1).told(&record, event, words).unwrap();
        (told.meant, told.touching)
    }

    #[test]
    fn the_same_is_told_of_calls_that_habits_cannot_tell_apart() {
        let told = |changes: &[_]| told(&mut Vocabulary::new(1), changes);
        let (all, touching) = told(&[]);
        let when = [("10:00:00", "11:00:00"), (r#""a""#, r#""b""#)];
        let alike = [
            when[0],
            when[1],
            ("192.0.2.1", "192.0.2.77"),
            ("100.0", "127"),
            (":1}", ":2}"),
            ("Boto3/1", "Boto3/1 m/n"),
        ];
        assert_eq!(told(&alike), (all, touching));
        // Of an endpoint, whose it is if it is somebody else's.
        let through = |owner: &str| {
            let endpoint = format!(r#""vpcEndpointId":"vpce-1"{owner},"errorCode""#);
            super::tests::told(&mut Vocabulary::new(1), &[(r#""errorCode""#, &endpoint)])
        };
        let owned = |account: &str| through(&format!(r#","vpcEndpointAccountId":"{account}""#));
        let own = through("");
        assert!(own.0 != all && own.1 == touching);
        for account in ["123456789012", "210987654321", "AWS Internal", "", "33333333333"] {
            assert_eq!(owned(account), own, "{account}");
        }
        let foreign = owned("333333333333");
        assert!(foreign.0 != own.0 && foreign.1 == touching);
        assert!(owned("444444444444").0 != foreign.0);
        for change in [
            ("192.0.2.1", "192.0.3.1"),
            ("Boto3/1", "curl/1"),
            ("NoSuchKey", "AccessDenied"),
            (r#","errorCode":"NoSuchKey""#, ""),
            ("100.0", "128"),
            (r#""bytesTransferredOut":100.0,"#, ""),
        ] {
            let (other, same) = told(&[change]);
            assert!(other != all && same == touching, "{change:?}");
        }
        for change in [
            ("s3.amazonaws", "x.amazonaws"),
            ("GetObject", "PutObject"),
            ("eu-west-1", "eu-west-2"),
            ("210987654321", "210987654322"),
            ("123456789012", "123456789013"),
            ("arn:aws:", "arn:aws-cn:"),
            (r#":"k""#, r#":"l""#),
            (r#""userIdentity""#, r#""resources":[{"ARN":"arn:y"}],"userIdentity""#),
        ] {
            let (other, touches_other) = told(&[change]);
            assert!(other != all && touches_other != touching, "{change:?}");
        }
    }

    /// What is meant by a record with these changes, once it is known what it touches.
    fn meant(scratch: &mut Scratch, changes: &[(&str, &str)]) -> u64 {
        let text = written(changes);
        let record = Record::parse(&text).unwrap();
        let mut words = Vocabulary::new(1);
        let event = words.event(&record);
        let mut told = scratch.told(&record, event, &mut words);
        let touched = scratch.touched(&record, words.known_event(event), told.as_mut());
        assert_eq!(touched == Touched::NOTHING, record.is_denied());
        told.unwrap().meant
    }

    /// The same resource, in other words.
    const IN_OTHER_WORDS: (&str, &str) = (r#""key":"k""#, r#""key":"k","Host":"b.s3""#);

    #[test]
    fn the_same_is_meant_of_a_resource_in_whatever_words() {
        let scratch = &mut Scratch::new(1);
        let plain = meant(scratch, &[]);
        // Known the second time, without a look.
        assert_eq!(meant(scratch, &[]), plain);
        assert_eq!(meant(scratch, &[IN_OTHER_WORDS]), plain);
        assert_eq!(meant(&mut Scratch::new(1), &[IN_OTHER_WORDS]), plain);
        let mut all = vec![plain];
        for change in [
            ("GetObject", "HeadObject"),
            ("eu-west-1", "eu-west-2"),
            ("210987654321", "210987654322"),
            ("123456789012", "123456789013"),
            ("192.0.2.1", "192.0.3.1"),
            ("Boto3/1", "curl/1"),
            ("NoSuchKey", "NoSuchBucket"),
            (r#","errorCode":"NoSuchKey""#, ""),
            ("100.0", "128"),
            (r#""bytesTransferredOut":100.0,"#, ""),
            (r#":"k""#, r#":"l""#),
            (r#""bucketName":"b","key":"k""#, r#""bucketName":"b/k""#),
        ] {
            all.push(meant(scratch, &[change]));
        }
        let copied = (r#""key":"k""#, r#""key":"k","x-amz-copy-source":"c/d""#);
        all.push(meant(scratch, &[copied]));
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        // All but one of an object whose name is that of a bucket's object: habits and scope ask for the ARN.
        assert_eq!(all.len(), count - 1);
    }

    #[test]
    fn of_what_was_refused_or_may_hand_over_a_role_every_word_counts() {
        let refused = ("NoSuchKey", "AccessDenied");
        let hands_over = [("s3.", "lambda."), ("GetObject", "CreateFunction20150331")];
        let named = (r#""bucketName":"b","key":"k""#, r#""functionName":"f""#);
        let with_role = (
            r#""bucketName":"b","key":"k""#,
            r#""functionName":"f","role":"arn:aws:iam::1:role/r""#,
        );
        let scratch = &mut Scratch::new(1);
        assert_ne!(meant(scratch, &[refused]), meant(scratch, &[refused, IN_OTHER_WORDS]));
        let [source, name] = hands_over;
        assert_ne!(
            meant(scratch, &[source, name, named]),
            meant(scratch, &[source, name, with_role])
        );
    }

    /// Calls that differ in a few things, each in a few ways.
    fn any_call() -> impl Strategy<Value = String> {
        let of = |texts: &'static [&'static str]| prop::sample::select(texts);
        let request = of(&[
            r#"{"bucketName":"b","key":"k"}"#,
            r#"{"key":"k","bucketName":"b","Host":"x"}"#,
            r#"{"bucketName":"b","key":"k","x-amz-copy-source":"c/d"}"#,
            r#"{"bucketName":"b/k"}"#,
            r#"{"tableName":"t"}"#,
            r#"{"tableName":"t","limit":5}"#,
            r#"{"functionName":"f"}"#,
            r#"{"functionName":"f","role":"arn:aws:iam::1:role/r"}"#,
            "null",
        ]);
        let event = of(&[
            r#""s3.amazonaws.com","eventName":"GetObject""#,
            r#""s3.amazonaws.com","eventName":"CopyObject""#,
            r#""dynamodb.amazonaws.com","eventName":"Query""#,
            r#""lambda.amazonaws.com","eventName":"UpdateFunctionConfiguration20150331v2""#,
        ]);
        let error = of(&["", r#""errorCode":"NoSuchKey","#, r#""errorCode":"AccessDenied","#]);
        let around = of(&[
            r#""sourceIPAddress":"192.0.2.1","userAgent":"Boto3/1.2""#,
            r#""sourceIPAddress":"192.0.2.9","userAgent":"Boto3/1.3""#,
            r#""sourceIPAddress":"198.51.100.1","userAgent":"Boto3/1""#,
            r#""sourceIPAddress":"192.0.2.1","userAgent":"curl/8""#,
        ]);
        let accounts = of(&[
            r#""123456789012"},"recipientAccountId":"123456789012""#,
            r#""123456789012"},"recipientAccountId":"210987654321""#,
            r#""210987654321"},"recipientAccountId":"123456789012""#,
        ]);
        let bytes = of(&["100", "127.0", "128", "0"]);
        (request, event, error, around, accounts, bytes).prop_map(
            |(request, event, error, around, accounts, bytes)| {
                format!(
                    r#"{{"eventTime":"2026-11-20T10:00:00Z","eventID":"a","eventSource":{event},
                    "awsRegion":"eu-west-1",{error}{around},"requestParameters":{request},
                    "additionalEventData":{{"bytesTransferredOut":{bytes}}},
                    "userIdentity":{{"type":"AssumedRole","arn":"arn:aws:x","accountId":{accounts}}}"#
                )
            },
        )
    }

    proptest! {
        /// All that scope and habits ask a call for is the same of calls that mean the same; and the other way
        /// round, but where every word counts.
        #[test]
        fn calls_mean_the_same_that_are_the_same_to_scope_and_habits(
            calls in prop::collection::vec(any_call(), 2..12),
        ) {
            let (mut scratch, mut words) = (Scratch::new(1), Vocabulary::new(1));
            let mut known: Vec<(u64, String, bool)> = Vec::new();
            for text in &calls {
                let record = Record::parse(text).unwrap();
                let event = words.event(&record);
                let mut told = scratch.told(&record, event, &mut words);
                scratch.touched(&record, words.known_event(event), told.as_mut());
                let may_pass_role = words.known_event(event).unwrap().naming.may_pass_role();
                let mut call = Call::of(&record);
                call.bytes_out = call.bytes_out.map(|bytes| bytes.checked_ilog2().unwrap_or(64).into());
                let network = std::mem::replace(&mut call.network, Network::Unknown).key();
                let call = format!("{network:?} {call:?}");
                let by_words = record.is_denied() || may_pass_role;
                known.push((told.unwrap().meant, call, by_words));
            }
            for (meant, call, by_words) in &known {
                for (other, other_call, _) in &known {
                    if meant == other {
                        prop_assert_eq!(call, other_call);
                    } else if !by_words {
                        prop_assert_ne!(call, other_call);
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_told_is_the_same_by_any_vocabulary() {
        let mut words = Vocabulary::new(1);
        let first = told(&mut words, &[]);
        let other = told(&mut words, &[("GetObject", "PutObject"), ("192.0.2.1", "192.0.3.1")]);
        let mut words = Vocabulary::new(1);
        assert_eq!(
            told(&mut words, &[("GetObject", "PutObject"), ("192.0.2.1", "192.0.3.1")]),
            other
        );
        assert_eq!(told(&mut words, &[]), first);
    }

    #[test]
    fn an_endpoint_is_its_callers_own_or_not_whichever_came_before() {
        let endpoint =
            r#""vpcEndpointId":"vpce-1","vpcEndpointAccountId":"333333333333","errorCode""#;
        let of = |words: &mut Vocabulary, account: &str| {
            told(words, &[(r#""errorCode""#, endpoint), ("123456789012", account)]).0
        };
        let accounts = ["333333333333", "555555555555"];
        let alone = accounts.map(|account| of(&mut Vocabulary::new(1), account));
        let mut words = Vocabulary::new(1);
        assert_eq!(accounts.map(|account| of(&mut words, account)), alone);
        let mut words = Vocabulary::new(1);
        let [own, foreign] = accounts;
        assert_eq!([of(&mut words, foreign), of(&mut words, own)], [alone[1], alone[0]]);
        let texts: Vec<_> = words.texts_of_networks().collect();
        assert_eq!(texts, ["vpce-1@333333333333", "vpce-1"]);
    }

    #[test]
    fn what_calls_touched_is_remembered_until_another_takes_its_place() {
        let mut touched = TouchedBy::default();
        let (one, alike) = (0xabcd_0000_0000_0003, 0xabcd_0000_0001_0003);
        let (much, nothing) = ((Touched::from_bits(0xffff), 7), (Touched::NOTHING, 8));
        assert_eq!(touched.of(one), None);
        touched.note(one, much.0, much.1);
        assert_eq!((touched.of(one), touched.of(alike)), (Some(much), None));
        touched.note(alike, nothing.0, nothing.1);
        assert_eq!((touched.of(one), touched.of(alike)), (None, Some(nothing)));
    }
}

//! What every record leaves behind when it is taken in: a row of 32 bytes, by which it is counted
//! once everything was read.

use tripline_baseline::{Counts, RateClass, RateClasses, Touched};
use tripline_cloudtrail::{EventId, EventTime};

/// When a call was, whose, and what kind of call: for learning, instead of the event, which row tells
/// what there is to learn of it.
///
/// Ticks are ordered by time, then id. That makes the copies of a record neighbours, however far
/// apart they were delivered: the same record has the same time and the same id wherever it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tick {
    /// Seconds since 1970 above, [`Traits`] in the lower 32 bits: seconds leave them free.
    secs_and_traits: u64,
    id: u128,
    /// The attributor's number for the session.
    pub place: u32,
    /// The number of the event's name, in the table of the intake that took it in; for learning, where
    /// [`Hold::drawn`](crate::Hold::drawn) has put its row.
    pub event: u32,
}

/// What is counted of a call, in 32 bits: from the lowest, whether it was a mint that failed, the five
/// classes of rates, how many bytes went out in four bits of magnitude and six of exponent, and in the
/// upper half what it touched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traits(u32);

const CLASSES: [RateClass; 5] =
    [RateClass::Read, RateClass::Data, RateClass::Write, RateClass::Permissions, RateClass::Error];

/// In place of how many bytes went out: the row tells.
const BYTES_IN_ROW: u32 = u32::MAX >> 1;

/// How many bytes went out, as the tick of a call that is learned from tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BytesOut {
    /// So many, if that is known.
    Told(Option<u64>),
    /// Too many for a tick: the call's row tells.
    InRow,
}

impl Traits {
    /// Of a call that is learned from: its row tells the classes and what it touched, so that all but
    /// one bit are there for the bytes that went out, which must not be off by an eighth here: one more
    /// than they were, and 0 where that is not known.
    pub(crate) fn learned(is_failed_mint: bool, bytes_out: Option<u64>) -> Self {
        let bytes = match bytes_out {
            None => 0,
            Some(bytes) if bytes < u64::from(BYTES_IN_ROW) - 1 => bytes as u32 + 1,
            Some(_) => BYTES_IN_ROW,
        };
        Self(bytes << 1 | u32::from(is_failed_mint))
    }

    /// Of a call that is learned from.
    pub(crate) fn learned_bytes_out(self) -> BytesOut {
        match self.0 >> 1 {
            0 => BytesOut::Told(None),
            BYTES_IN_ROW => BytesOut::InRow,
            bytes => BytesOut::Told(Some(u64::from(bytes) - 1)),
        }
    }

    pub(crate) fn new(is_failed_mint: bool, counts: &Counts) -> Self {
        let classes = (1..).zip(CLASSES).filter(|(_, class)| counts.classes.has(*class));
        let bits = classes.fold(u16::from(is_failed_mint), |bits, (nth, _)| bits | 1 << nth);
        let bits = bits | coarse(counts.bytes_out.unwrap_or(0)) << 6;
        Self(u32::from(counts.touched.bits()) << 16 | u32::from(bits))
    }

    /// It asked for a credential and got none.
    pub(crate) fn is_failed_mint(self) -> bool {
        self.0 & 1 == 1
    }

    /// What is counted of it. Of the bytes that went out at most an eighth is missing.
    pub(crate) fn counts(self) -> Counts {
        Counts {
            classes: self.classes(),
            bytes_out: Some(self.bytes_out()),
            touched: Touched::from_bits((self.0 >> 16) as u16),
        }
    }

    fn classes(self) -> RateClasses {
        let has = |nth: u32| self.0 & 1 << nth != 0;
        let classes = (1..).zip(CLASSES).filter(|(nth, _)| has(*nth));
        classes.fold(RateClasses::default(), |classes, (_, class)| classes.with(class))
    }

    /// At most an eighth less than it was, never more.
    fn bytes_out(self) -> u64 {
        let (exponent, magnitude) = (self.0 >> 10 & 63, u64::from(self.0 >> 6 & 15));
        match exponent {
            0 => magnitude,
            exponent => (8 | magnitude & 7) << (exponent - 1).min(60),
        }
    }
}

/// Like a floating-point number of the four highest bits.
fn coarse(bytes: u64) -> u16 {
    let bits = (u64::BITS - bytes.leading_zeros()) as u16;
    match bits.checked_sub(4) {
        None => bytes as u16,
        Some(shift) => (shift + 1) << 4 | (bytes >> shift) as u16 & 15,
    }
}

/// How many bytes a tick takes in a file.
pub const TICK_BYTES: usize = 32;

impl Tick {
    pub(crate) fn new(
        time: EventTime,
        id: EventId,
        place: u32,
        event: u32,
        traits: Traits,
    ) -> Self {
        // INVARIANT: event times take 32 bits.
        let secs = time.unix_secs().unsigned_abs();
        Self { secs_and_traits: secs << 32 | u64::from(traits.0), id: id.bits(), place, event }
    }

    /// What ticks are ordered by, and are the same record by.
    #[inline]
    pub fn key(&self) -> (u64, u128) {
        (self.secs_and_traits >> 32, self.id)
    }

    /// When the call was.
    pub fn time(&self) -> EventTime {
        let secs = i64::try_from(self.secs_and_traits >> 32).unwrap_or(0);
        EventTime::from_unix_secs(secs).unwrap_or(EventTime::EPOCH)
    }

    /// The record's id.
    pub fn id(&self) -> EventId {
        EventId::from_bits(self.id)
    }

    pub(crate) fn traits(&self) -> Traits {
        Traits(self.secs_and_traits as u32)
    }

    /// The same with numbers of other tables.
    #[must_use]
    pub fn moved(self, place: u32, event: u32) -> Self {
        Self { place, event, ..self }
    }

    /// What learning needs of it; `part` is the number of the intake that took it in.
    pub fn to_learn(self, part: u32) -> CallToLearn {
        let [secs, traits] = [self.secs_and_traits >> 32, self.secs_and_traits].map(|it| it as u32);
        CallToLearn { secs, traits: Traits(traits), place: self.place, part, row: self.event }
    }

    /// As bytes, for this program's own files.
    pub fn to_bytes(self) -> [u8; TICK_BYTES] {
        let mut bytes = [0; TICK_BYTES];
        let numbers = u64::from(self.event) << 32 | u64::from(self.place);
        let words = [self.secs_and_traits, self.id as u64, (self.id >> 64) as u64, numbers];
        let (places, _) = bytes.as_chunks_mut::<8>();
        places.iter_mut().zip(words).for_each(|(place, word)| *place = word.to_le_bytes());
        bytes
    }

    /// Back from bytes.
    pub fn from_bytes(bytes: &[u8; TICK_BYTES]) -> Self {
        let [b0, b1, b2, b3, b4, b5, b6, b7, id @ .., p0, p1, p2, p3, e0, e1, e2, e3] = *bytes;
        Self {
            secs_and_traits: u64::from_le_bytes([b0, b1, b2, b3, b4, b5, b6, b7]),
            id: u128::from_le_bytes(id),
            place: u32::from_le_bytes([p0, p1, p2, p3]),
            event: u32::from_le_bytes([e0, e1, e2, e3]),
        }
    }
}

/// A call to learn from, without what told it apart from others: it is one of a kind by now, and its
/// agent's calls come in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallToLearn {
    secs: u32,
    pub(crate) traits: Traits,
    /// The attributor's number for the session.
    pub place: u32,
    /// The number of the intake that took it in, …
    pub part: u32,
    /// … and where that has put the row that tells the rest.
    pub row: u32,
}

/// How many bytes a [`CallToLearn`] takes in a file.
pub const CALL_TO_LEARN_BYTES: usize = 20;

impl CallToLearn {
    /// When it was.
    pub fn time(&self) -> EventTime {
        EventTime::from_unix_secs(i64::from(self.secs)).unwrap_or(EventTime::EPOCH)
    }

    /// As bytes, for this program's own files.
    pub fn to_bytes(self) -> [u8; CALL_TO_LEARN_BYTES] {
        let mut bytes = [0; CALL_TO_LEARN_BYTES];
        let numbers = [self.secs, self.traits.0, self.place, self.part, self.row];
        let (places, _) = bytes.as_chunks_mut::<4>();
        places.iter_mut().zip(numbers).for_each(|(place, word)| *place = word.to_le_bytes());
        bytes
    }

    /// Back from bytes.
    pub fn from_bytes(bytes: &[u8; CALL_TO_LEARN_BYTES]) -> Self {
        let mut numbers = bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word));
        let mut next = || numbers.next().unwrap_or_default();
        let (secs, traits, place) = (next(), Traits(next()), next());
        Self { secs, traits, place, part: next(), row: next() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_comes_back_from_bytes() {
        let time = EventTime::from_unix_secs(i64::from(u32::MAX) - 1).unwrap();
        let classes = RateClasses::default().with(RateClass::Data).with(RateClass::Error);
        let touched = Touched::from_bits(0xfedc);
        let traits = Traits::new(true, &Counts { classes, bytes_out: Some(1_000), touched });
        let tick = Tick::new(time, EventId::from_bits(u128::MAX - 7), 5, u32::MAX, traits);
        assert_eq!(size_of::<Tick>(), TICK_BYTES);
        assert_eq!(Tick::from_bytes(&tick.to_bytes()), tick);
        assert_eq!((tick.time(), tick.id().bits()), (time, u128::MAX - 7));
        assert!(tick.traits().is_failed_mint());
        let counts = Counts { classes, bytes_out: Some(960), touched };
        assert_eq!(tick.traits().counts(), counts);
    }

    #[test]
    fn a_call_to_learn_comes_back_from_bytes() {
        let time = EventTime::from_unix_secs(i64::from(u32::MAX) - 1).unwrap();
        let traits = Traits::learned(true, Some(77));
        let call =
            Tick::new(time, EventId::from_bits(u128::MAX), 5, u32::MAX - 1, traits).to_learn(3);
        assert_eq!(CallToLearn::from_bytes(&call.to_bytes()), call);
        assert_eq!((call.time(), call.place, call.part, call.row), (time, 5, 3, u32::MAX - 1));
        assert_eq!(call.traits.learned_bytes_out(), BytesOut::Told(Some(77)));
    }

    #[test]
    fn bytes_are_exact_where_they_are_learned() {
        for bytes in [0, 1, 1_000_003, (1 << 31) - 3, (1 << 31) - 2, 1 << 31, u64::MAX] {
            let traits = Traits::learned(true, Some(bytes));
            assert!(traits.is_failed_mint());
            let wanted = match bytes < (1 << 31) - 2 {
                true => BytesOut::Told(Some(bytes)),
                false => BytesOut::InRow,
            };
            assert_eq!(traits.learned_bytes_out(), wanted, "{bytes}");
        }
        assert_eq!(Traits::learned(false, None).learned_bytes_out(), BytesOut::Told(None));
    }

    #[test]
    fn bytes_are_kept_to_an_eighth() {
        for bytes in
            (0..64).flat_map(|bit| [1_u64 << bit, (1 << bit) - 1, 3 << bit >> 1, 1 << bit | 1])
        {
            let counts = Counts { bytes_out: Some(bytes), ..Counts::default() };
            let kept = Traits::new(false, &counts).bytes_out();
            assert!(kept <= bytes && bytes - kept <= bytes / 8, "{bytes}: {kept}");
        }
        assert_eq!(Traits::new(true, &Counts::default()).bytes_out(), 0);
    }
}

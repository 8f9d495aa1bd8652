//! What every record leaves behind when it is taken in: a row of 32 bytes, by which it is counted
//! once everything was read, or one of 40, by which it is learned from as well.

use tripline_baseline::{Counts, RateClass, RateClasses, Touched};
use tripline_cloudtrail::{EventId, EventTime};

use crate::vocabulary::UNKNOWN;

/// When a call was, whose, and what kind of call.
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
    /// The number of the event's name, in the table of the intake that took it in.
    pub event: u32,
}

/// What is counted of a call, in 32 bits: from the lowest, whether it was a mint that failed, the five
/// classes of rates, how many bytes went out in four bits of magnitude and six of exponent, and in the
/// upper half what it touched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traits(u32);

const CLASSES: [RateClass; 5] =
    [RateClass::Read, RateClass::Data, RateClass::Write, RateClass::Permissions, RateClass::Error];

impl Traits {
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
const TICK_BYTES: usize = 32;

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

/// What a call leaves behind where it is learned from: a row of 40 bytes, in place of a [`Tick`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lesson {
    secs: u32,
    /// What it touched in the upper half, and whether it was a mint that failed.
    traits: u32,
    /// The halves of the id.
    id: [u64; 2],
    place: u32,
    row: u32,
    bytes_out: u64,
}

/// How many bytes a lesson takes in a file.
const LESSON_BYTES: usize = 40;

impl Lesson {
    /// `row` says where the rest of it was put. Of bytes that went out the last number of 64 bits is
    /// one too many.
    pub(crate) fn new(
        time: EventTime,
        id: EventId,
        place: u32,
        row: u32,
        is_failed_mint: bool,
        (touched, bytes_out): (Touched, Option<u64>),
    ) -> Self {
        // INVARIANT: event times take 32 bits.
        let secs = time.unix_secs().unsigned_abs() as u32;
        let traits = u32::from(touched.bits()) << 16 | u32::from(is_failed_mint);
        let id = [(id.bits() >> 64) as u64, id.bits() as u64];
        let bytes_out = bytes_out.map_or(0, |bytes| bytes.saturating_add(1));
        Self { secs, traits, id, place, row, bytes_out }
    }

    /// What is left of it once it is one of a kind, and its agent's calls come in order. `part` is the
    /// number of the intake that took it in.
    pub fn of_part(self, part: u16) -> CallToLearn {
        let Self { secs, traits, place, row, bytes_out, .. } = self;
        CallToLearn { bytes_out, secs, place, row, part, touched: (traits >> 16) as u16 }
    }
}

/// A call to learn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallToLearn {
    /// One more than they were; 0 where that is not known.
    bytes_out: u64,
    secs: u32,
    /// The attributor's number for the session.
    pub place: u32,
    /// Where the intake that took it in has put what there is to learn of it.
    pub row: u32,
    /// The number of that intake.
    pub part: u16,
    touched: u16,
}

/// How many bytes a [`CallToLearn`] takes in a file.
pub const CALL_TO_LEARN_BYTES: usize = 24;

impl CallToLearn {
    /// When it was.
    pub fn time(&self) -> EventTime {
        EventTime::from_unix_secs(i64::from(self.secs)).unwrap_or(EventTime::EPOCH)
    }

    pub(crate) fn bytes_out(&self) -> Option<u64> {
        self.bytes_out.checked_sub(1)
    }

    pub(crate) fn touched(&self) -> Touched {
        Touched::from_bits(self.touched)
    }

    /// As bytes, for this program's own files.
    pub fn to_bytes(self) -> [u8; CALL_TO_LEARN_BYTES] {
        let mut bytes = [0; CALL_TO_LEARN_BYTES];
        let words = [
            self.bytes_out,
            u64::from(self.secs) << 32 | u64::from(self.place),
            u64::from(self.row) << 32 | u64::from(self.part) << 16 | u64::from(self.touched),
        ];
        let (places, _) = bytes.as_chunks_mut::<8>();
        places.iter_mut().zip(words).for_each(|(place, word)| *place = word.to_le_bytes());
        bytes
    }

    /// Back from bytes.
    pub fn from_bytes(bytes: &[u8; CALL_TO_LEARN_BYTES]) -> Self {
        let mut words = bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word));
        let mut next = || words.next().unwrap_or_default();
        let (bytes_out, when, what) = (next(), next(), next());
        Self {
            bytes_out,
            secs: (when >> 32) as u32,
            place: when as u32,
            row: (what >> 32) as u32,
            part: (what >> 16) as u16,
            touched: what as u16,
        }
    }
}

/// What every record leaves behind, in one form or the other.
pub trait Ticked: Copy + Ord + Send {
    /// It as bytes.
    type Bytes: AsRef<[u8]> + AsMut<[u8]>;
    /// Room for them.
    const BYTES: Self::Bytes;

    /// When it was, whose, and what kind of call.
    fn tick(&self) -> Tick;
    /// As [`Tick::key`].
    fn key(&self) -> (u64, u128);
    /// As bytes, for this program's own files.
    fn to_bytes(self) -> Self::Bytes;
    /// Back from bytes.
    fn from_bytes(bytes: &Self::Bytes) -> Self;
}

impl Ticked for Tick {
    type Bytes = [u8; TICK_BYTES];
    const BYTES: Self::Bytes = [0; TICK_BYTES];

    #[inline]
    fn tick(&self) -> Tick {
        *self
    }
    #[inline]
    fn key(&self) -> (u64, u128) {
        Tick::key(self)
    }
    fn to_bytes(self) -> Self::Bytes {
        Tick::to_bytes(self)
    }
    fn from_bytes(bytes: &Self::Bytes) -> Self {
        Tick::from_bytes(bytes)
    }
}

impl Ticked for Lesson {
    type Bytes = [u8; LESSON_BYTES];
    const BYTES: Self::Bytes = [0; LESSON_BYTES];

    #[inline]
    fn tick(&self) -> Tick {
        let (secs, id) = self.key();
        Tick {
            secs_and_traits: secs << 32 | u64::from(self.traits & 1),
            id,
            place: self.place,
            event: UNKNOWN,
        }
    }
    #[inline]
    fn key(&self) -> (u64, u128) {
        let [high, low] = self.id;
        (u64::from(self.secs), u128::from(high) << 64 | u128::from(low))
    }
    fn to_bytes(self) -> Self::Bytes {
        let Self { secs, traits, id: [high, low], place, row, bytes_out } = self;
        let two = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
        let mut bytes = Self::BYTES;
        let words = [two(secs, traits), high, low, two(place, row), bytes_out];
        let (places, _) = bytes.as_chunks_mut::<8>();
        places.iter_mut().zip(words).for_each(|(place, word)| *place = word.to_le_bytes());
        bytes
    }
    fn from_bytes(bytes: &Self::Bytes) -> Self {
        let mut words = bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word));
        let mut next = || words.next().unwrap_or_default();
        let (when, id, what, bytes_out) = (next(), [next(), next()], next(), next());
        let [secs, place] = [when, what].map(|it| (it >> 32) as u32);
        Self { secs, traits: when as u32, id, place, row: what as u32, bytes_out }
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
    fn a_lesson_comes_back_from_bytes() {
        let time = EventTime::from_unix_secs(i64::from(u32::MAX) - 1).unwrap();
        let id = EventId::from_bits(u128::MAX - (7 << 64) - 9);
        for bytes_out in [None, Some(0), Some(1_000_003), Some(u64::MAX - 1)] {
            let counted = (Touched::from_bits(0xfedc), bytes_out);
            let lesson = Lesson::new(time, id, 5, u32::MAX, true, counted);
            assert_eq!(Lesson::from_bytes(&lesson.to_bytes()), lesson);
            assert_eq!(lesson.key(), lesson.tick().key());
            assert_eq!(
                (lesson.tick().time(), lesson.tick().id(), lesson.tick().place),
                (time, id, 5)
            );
            assert!(lesson.tick().traits().is_failed_mint());
            let call = lesson.of_part(3);
            assert_eq!(CallToLearn::from_bytes(&call.to_bytes()), call);
            assert_eq!((call.time(), call.place, call.part, call.row), (time, 5, 3, u32::MAX));
            assert_eq!((call.touched(), call.bytes_out()), counted);
        }
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

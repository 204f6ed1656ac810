//! Texts from a seed: English-looking words as frequent as words are, and Chinese in the same way.

/// In one message of fifty thousand.
pub(super) const RARE: &str = "zephyrine";
const RARE_OF: u64 = 50_000;
const WORDS: u64 = 30_000;
const SYLLABLES: [&str; 16] =
    ["ba", "be", "ki", "du", "ro", "ne", "li", "so", "ma", "tu", "pe", "gi", "vo", "ha", "ze", "fu"];
/// The most frequent first; the rest is made of the common part of the block.
const HAN: &str = "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里机器学习模型数据时间问题方法";

pub(super) struct Texts(u64);

impl Texts {
    pub(super) const fn from(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }

    /// A rank as Zipf's law would have it, nearly: small ones often.
    fn rank(&mut self, below: u64) -> u64 {
        let reach = self.next(below) + 1;
        self.next(reach)
    }

    fn word(&mut self, text: &mut String) {
        let mut rank = self.rank(WORDS);
        loop {
            let syllable = usize::try_from(rank % 16).unwrap_or(0);
            text.push_str(SYLLABLES[syllable]);
            rank /= 16;
            if rank == 0 {
                break;
            }
        }
        text.push(' ');
    }

    fn han(&mut self, text: &mut String, common: &[char]) {
        match self.next(40) {
            0 => text.push('，'),
            1 if self.next(60) == 0 => text.push_str("机器学习"),
            2..=20 => {
                let at = usize::try_from(self.rank(common.len() as u64)).unwrap_or(0);
                text.extend(common.get(at));
            }
            _ => {
                let rank = u32::try_from(self.rank(3_000)).unwrap_or(0);
                text.extend(char::from_u32(0x4E00 + rank * 6));
            }
        }
    }

    /// A message of 10 to 90 words, three in ten of them Chinese.
    pub(super) fn message(&mut self) -> String {
        let mut text = String::with_capacity(400);
        let length = 10 + self.next(80);
        if self.next(10) < 3 {
            let common: Vec<char> = HAN.chars().collect();
            for _ in 0..length * 2 {
                self.han(&mut text, &common);
            }
        } else {
            for _ in 0..length {
                self.word(&mut text);
            }
        }
        if self.next(RARE_OF) == 0 {
            text.push(' ');
            text.push_str(RARE);
        }
        text
    }
}

use std::{convert::Infallible, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Width to height of a video.
///
/// An open enum: a ratio that this version does not know yet is [`Other`](Self::Other) and is sent
/// as it stands.
///
/// ```
/// use luma_client::AspectRatio;
///
/// assert_eq!("21:9".parse(), Ok(AspectRatio::Ratio21x9));
/// assert_eq!(AspectRatio::default().to_string(), "16:9");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AspectRatio {
    /// 16:9, landscape; what the service takes when nothing is sent.
    #[default]
    Ratio16x9,
    /// 9:16, portrait.
    Ratio9x16,
    /// 1:1, square.
    Ratio1x1,
    /// 4:3, classic landscape.
    Ratio4x3,
    /// 3:4, classic portrait.
    Ratio3x4,
    /// 21:9, wide screen.
    Ratio21x9,
    /// 9:21, tall portrait.
    Ratio9x21,
    /// A ratio that this version does not know.
    Other(String),
}

impl AspectRatio {
    /// The ratios that the service documents.
    pub const KNOWN: [Self; 7] = [
        Self::Ratio16x9,
        Self::Ratio9x16,
        Self::Ratio1x1,
        Self::Ratio4x3,
        Self::Ratio3x4,
        Self::Ratio21x9,
        Self::Ratio9x21,
    ];

    /// The ratio as the service spells it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Ratio16x9 => "16:9",
            Self::Ratio9x16 => "9:16",
            Self::Ratio1x1 => "1:1",
            Self::Ratio4x3 => "4:3",
            Self::Ratio3x4 => "3:4",
            Self::Ratio21x9 => "21:9",
            Self::Ratio9x21 => "9:21",
            Self::Other(ratio) => ratio,
        }
    }
}

impl From<&str> for AspectRatio {
    fn from(ratio: &str) -> Self {
        Self::KNOWN
            .into_iter()
            .find(|known| known.as_str() == ratio)
            .unwrap_or_else(|| Self::Other(ratio.to_owned()))
    }
}

impl FromStr for AspectRatio {
    type Err = Infallible;

    fn from_str(ratio: &str) -> Result<Self, Infallible> {
        Ok(ratio.into())
    }
}

impl fmt::Display for AspectRatio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for AspectRatio {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for AspectRatio {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(String::deserialize(deserializer)?.as_str().into())
    }
}

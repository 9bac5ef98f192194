//! Width to height.

use serde::{Deserialize, Serialize};

use crate::util::open_enum;

open_enum! {
    /// Width to height of a video. The default is 16:9.
    ///
    /// An open enum: a ratio that this version does not know is `Other`, and is sent as it is.
    ///
    /// ```
    /// use luma_client::AspectRatio;
    ///
    /// assert_eq!(AspectRatio::from("21:9"), AspectRatio::Ratio21x9);
    /// assert_eq!(AspectRatio::default().to_string(), "16:9");
    /// ```
    #[derive(Default, Deserialize, Serialize)]
    #[serde(from = "String", into = "String")]
    AspectRatio, other: /** A ratio that this version does not know. */ |ratio| ratio.to_owned(),
    /// 16:9, landscape; the service's default.
    #[default]
    Ratio16x9 = "16:9",
    /// 9:16, portrait.
    Ratio9x16 = "9:16",
    /// 1:1, square.
    Ratio1x1 = "1:1",
    /// 4:3, classic landscape.
    Ratio4x3 = "4:3",
    /// 3:4, classic portrait.
    Ratio3x4 = "3:4",
    /// 21:9, wide screen.
    Ratio21x9 = "21:9",
    /// 9:21, tall portrait.
    Ratio9x21 = "9:21",
}

impl From<String> for AspectRatio {
    fn from(ratio: String) -> Self {
        ratio.as_str().into()
    }
}

impl From<AspectRatio> for String {
    fn from(ratio: AspectRatio) -> Self {
        ratio.as_str().to_owned()
    }
}

//! Enums of words that the service may extend.

/// Declares an enum with one variant for each known word, and `Other` for any other word.
macro_rules! open_enum {
    (
        $(#[$outer:meta])*
        $name:ident, other: $(#[$other:meta])* |$word:ident| $read_other:expr,
        $($(#[$inner:meta])* $variant:ident = $text:literal,)*
    ) => {
        $(#[$outer])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$inner])* $variant,)*
            $(#[$other])*
            Other(String),
        }

        impl $name {
            /// The words that this version knows.
            pub const KNOWN: &'static [Self] = &[$(Self::$variant),*];

            /// Returns the word as the service spells it.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Other(word) => word,
                }
            }
        }

        impl From<&str> for $name {
            fn from($word: &str) -> Self {
                let is_known = |known: &&Self| known.as_str().eq_ignore_ascii_case($word.trim());
                match Self::KNOWN.iter().find(is_known) {
                    Some(known) => known.clone(),
                    None => Self::Other($read_other),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

pub(crate) use open_enum;

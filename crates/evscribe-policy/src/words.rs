//! Closed sets of words, as they stand in the policy.

/// An enum of which each variant has its word.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident as $what:literal { $($(#[$of:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
        pub enum $name {
            $($(#[$of])* $variant,)*
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self { $(Self::$variant => $word,)* })
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(word: &str) -> Result<Self, String> {
                match word {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(format!(
                        concat!("`{}` is no ", $what, ": use one of {}"),
                        word,
                        [$($word),*].join(", ")
                    )),
                }
            }
        }
    };
}

pub(crate) use words;

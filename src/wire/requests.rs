//! The macro that declares the requests of a node, and what it says of a declaration that it cannot read.

/// Declares the requests of a node: an enum, each variant with the `type` it has on the wire.
///
/// A field is any `Deserialize` type, borrowed from the line where possible (`&'a str`), or
/// [`Json<'a>`](crate::wire::Json) for an arbitrary value; an `Option` may be absent. Unknown keys are ignored. A key
/// that is not an identifier is written before the field's name, with `as`. A tuple variant decodes the whole body as
/// one [`Field`](crate::wire::Field). The lifetime must be written even if nothing borrows.
///
/// ```
/// use gossip_gloomers::{requests, wire::Json};
///
/// requests! {
///     /// Requests to a set.
///     pub enum Request<'a> {
///         /// Add this value.
///         "add" => Add { element: Json<'a>, "on-behalf-of" as author: Option<&'a str> },
///         /// Read all values.
///         "read" => Read {},
///     }
/// }
/// ```
#[macro_export]
macro_rules! requests {
    (
        $(#[$outer:meta])*
        $vis:vis enum $name:ident<$context:lifetime> {
            $( $(#[$inner:meta])* $kind:literal => $variant:ident
                $( { $($($key:literal as)? $field:ident: $type:ty),* $(,)? } )?
                $( ( $whole:ty ) )?
            ),* $(,)?
        }
    ) => {
        $(#[$outer])*
        $vis enum $name<$context> {
            $(
                $(#[$inner])*
                $variant
                $( {
                    $(
                        #[doc = concat!("The field `", $crate::__requests!(@key $($key)? $field), "` of the body.")]
                        $field: $type,
                    )*
                } )?
                $( ($whole) )?,
            )*
            #[doc(hidden)]
            __Lifetime(::std::convert::Infallible, ::std::marker::PhantomData<&$context ()>),
        }

        impl<$context> $crate::wire::Decode<$context> for $name<$context> {
            #[allow(unused_mut, unused_variables, reason = "a request without fields reads none")]
            fn decode(kind: &str, body: $crate::wire::Json<$context>) -> Result<Self, $crate::wire::DecodeError> {
                match kind {
                    $(
                        $kind => {
                            $crate::__requests!(
                                @read body $kind $variant $( { $($($key)? $field),* } )? $( ( $whole ) )?
                            )
                        }
                    )*
                    _ => Err($crate::wire::DecodeError::UnknownType),
                }
            }
        }
    };
    ($($declaration:tt)*) => {
        $crate::__requests!(@enum $($declaration)*);
    };
}

/// The parts of [`requests!`](crate::requests): `@key` and `@read` are of its expansion; `@enum`, `@variant` and
/// `@field` walk through a declaration that has not matched, up to its first mistake.
#[doc(hidden)]
#[macro_export]
macro_rules! __requests {
    // The key of a field on the wire.
    (@key $key:literal $field:ident) => { $key };
    (@key $field:ident) => { stringify!($field) };

    // The expression that reads a variant.
    (@read $body:ident $kind:literal $variant:ident { $($($key:literal)? $field:ident),* }) => {{
        $( let mut $field = None; )*
        if let Some(entries) = $body.entries() {
            for (key, value) in entries {
                match key {
                    $( $crate::__requests!(@key $($key)? $field) => $field = Some(value), )*
                    _ => {}
                }
            }
        }
        Ok(Self::$variant {
            $(
                $field: match $field {
                    Some(value) => $crate::wire::Field::read(value),
                    None => $crate::wire::Field::absent(),
                }
                .map_err(|why| $crate::wire::DecodeError::field($crate::__requests!(@key $($key)? $field), &why))?,
            )*
        })
    }};
    (@read $body:ident $kind:literal $variant:ident ($whole:ty)) => {
        <$whole as $crate::wire::Field>::read($body)
            .map(Self::$variant)
            .map_err(|why| $crate::wire::DecodeError::Malformed(why.to_string()))
    };
    (@read $body:ident $kind:literal $variant:ident) => {
        compile_error!(concat!(
            "braces are missing: write `\"", $kind, "\" => ", stringify!($variant), " {}` for a request without fields"
        ))
    };

    (@enum $(#[$outer:meta])* $vis:vis enum $name:ident { $($variants:tt)* }) => {
        compile_error!(concat!(
            "the lifetime is missing: write `enum ", stringify!($name), "<'a>`, even if no field borrows"
        ));
    };
    (@enum $(#[$outer:meta])* $vis:vis enum $name:ident<$context:lifetime> { $($variants:tt)* }) => {
        $crate::__requests!(@variant $($variants)*);
    };
    (@enum $(#[$outer:meta])* $vis:vis enum $name:ident< $($rest:tt)*) => {
        compile_error!(concat!("an enum of requests has one lifetime and nothing else: `", stringify!($name), "<'a>`"));
    };
    (@enum $($rest:tt)*) => {
        compile_error!("requests are one enum: `enum Request<'a> { \"echo\" => Echo { echo: Json<'a> } }`");
    };

    (@variant #[$inner:meta] $($rest:tt)*) => {
        $crate::__requests!(@variant $($rest)*);
    };
    (@variant
        $kind:literal => $variant:ident
        $( { $($($key:literal as)? $field:ident: $type:ty),* $(,)? } )? $( ( $whole:ty ) )?, $($rest:tt)*
    ) => {
        $crate::__requests!(@variant $($rest)*);
    };
    (@variant
        $kind:literal => $variant:ident { $($($key:literal as)? $field:ident: $type:ty),* $(,)? } $($rest:tt)+
    ) => {
        compile_error!(concat!("a comma is missing after the variant `", stringify!($variant), "`"));
    };
    (@variant $kind:literal => $variant:ident { $($fields:tt)* } $($rest:tt)*) => {
        $crate::__requests!(@field $variant $($fields)*);
    };
    (@variant $kind:literal => $variant:ident ($whole:ty) $($rest:tt)+) => {
        compile_error!(concat!("a comma is missing after the variant `", stringify!($variant), "`"));
    };
    (@variant $kind:literal => $variant:ident ($($whole:tt)*) $($rest:tt)*) => {
        compile_error!(concat!(
            "`", stringify!($variant), "(…)` holds the whole body as one type; fields are written in braces"
        ));
    };
    (@variant $kind:literal => $variant:ident $($rest:tt)*) => {
        compile_error!(concat!(
            "braces are missing: write `\"", $kind, "\" => ", stringify!($variant), " {},` for a request without fields"
        ));
    };
    (@variant $variant:ident $($rest:tt)*) => {
        compile_error!(concat!(
            "the type on the wire is missing: write `\"…\" => ", stringify!($variant), " { … }`"
        ));
    };
    (@variant $($rest:tt)*) => {
        compile_error!(concat!("this is not `\"type\" => Variant { … }`: ", stringify!($($rest)*)));
    };

    (@field $variant:ident $($key:literal as)? $field:ident: $type:ty, $($rest:tt)*) => {
        $crate::__requests!(@field $variant $($rest)*);
    };
    (@field $variant:ident $($key:literal as)? $field:ident: $($rest:tt)*) => {
        compile_error!(concat!(
            "a comma is missing after the field `", stringify!($field), "` of `", stringify!($variant), "`"
        ));
    };
    (@field $variant:ident $key:literal $($rest:tt)*) => {
        compile_error!(concat!(
            "the field's name is missing in `", stringify!($variant), "`: write `\"", $key, "\" as name: Type`"
        ));
    };
    (@field $variant:ident $first:ident $(- $more:ident)+: $($rest:tt)*) => {
        compile_error!(concat!(
            "a key that is not an identifier needs a name: write `\"", stringify!($first), $("-", stringify!($more),)+
            "\" as ", stringify!($first), $("_", stringify!($more),)+ ": Type`"
        ));
    };
    (@field $variant:ident #[$inner:meta] $($rest:tt)*) => {
        compile_error!(concat!(
            "a field of `", stringify!($variant), "` has an attribute: only variants take them; ",
            "another key is written `\"key\" as name: Type`"
        ));
    };
    (@field $variant:ident $($rest:tt)*) => {
        compile_error!(concat!("this is not a field of `", stringify!($variant), "`: ", stringify!($($rest)*)));
    };
}

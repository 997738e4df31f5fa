//! How each carrier writes the numbers that calls come from: told as a campaign is set up, and not by its first call.

use outdial_workflows::call::CallerId;
use outdial_workflows::phone::PhoneNumber;

use super::Provider;

/// Why a carrier would not take this as a number that calls come from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{number}` is no number as {carrier} has them; give it {form}")]
pub struct NotACallerId {
    number: String,
    carrier: &'static str,
    form: &'static str,
}

/// Whether a carrier takes this as a number that calls come from. Whether the account owns it, its carrier tells.
///
/// # Errors
/// In which form it has to be.
pub fn check(provider: Provider, number: &CallerId) -> Result<(), NotACallerId> {
    const E164: &str = "in E.164, with a plus and the country code, such as +442079460000";
    let is_e164 = number.0.parse::<PhoneNumber>().is_ok();
    let (fits, form) = match provider {
        // ExoPhones are listed with a leading 0, and taken in E.164 as well.
        Provider::Exotel => {
            (is_e164 || is_national(&number.0), "as an ExoPhone is listed, such as 08040000000, or in E.164")
        }
        Provider::Retell | Provider::Telnyx => (is_e164, E164),
        // A trunk may have numbers without a plus; what it lists is what it takes.
        Provider::LiveKit => {
            (is_e164 || is_plain(&number.0), "as its SIP trunk lists it, such as +442079460000")
        }
    };
    match fits {
        true => Ok(()),
        false => Err(NotACallerId { number: number.0.clone(), carrier: provider.title(), form }),
    }
}

/// A trunk prefix, then what E.164 leaves of a country's longest numbers.
fn is_national(number: &str) -> bool {
    number.starts_with('0') && (8..=14).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit())
}

fn is_plain(number: &str) -> bool {
    (3..=15).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_carrier_takes_the_forms_that_it_lists_numbers_in_and_no_others() {
        let all =
            [("+442079460000", true), ("call me", false), ("+0123456789", false), (" +442079460000", false)];
        for provider in Provider::ALL {
            let own = match provider {
                Provider::Exotel => [("08040000000", true), ("8040000000", false), ("0804000", false)],
                Provider::Retell | Provider::Telnyx => {
                    [("08040000000", false), ("442079460000", false), ("+1 (415) 555-0100", false)]
                }
                Provider::LiveKit => [("442079460000", true), ("+1 (415) 555-0100", false), ("", false)],
            };
            for (number, fits) in all.iter().chain(&own) {
                let checked = check(*provider, &CallerId((*number).to_owned()));
                assert_eq!(checked.is_ok(), *fits, "{} {number}", provider.title());
            }
        }
        let told = check(Provider::Telnyx, &CallerId("08040000000".into())).expect_err("no E.164");
        assert_eq!(
            told.to_string(),
            "`08040000000` is no number as Telnyx has them; give it in E.164, with a plus and the country code, such as \
             +442079460000"
        );
    }
}

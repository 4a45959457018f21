//! FORMAT(number, decimals, locale) (manual, "String Functions and Operators"; the locales of `lc_time_names`).

use super::argument::{integer, nth, text};
use super::registry::{Function, FunctionContext};
use crate::sql::error::{Error, Warning};
use crate::sql::present::{plain_digits, round_digits};
use crate::sql::store::{as_text, to_number};
use crate::types::Value;

pub(super) const FUNCTIONS: &[Function] =
    &[Function { name: "marmot_format", arity: -1, deterministic: false, eval: format_number }];

/// How a locale writes numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Style {
    point: char,
    separator: Option<char>,
    /// Digits of the groups after the first one from the right, which has three.
    group: usize,
}

const fn style(point: char, separator: char, group: usize) -> Style {
    Style { point, separator: if separator == '-' { None } else { Some(separator) }, group }
}

/// Styles and the locales that have them; all other known ones write as en_US does.
const STYLES: &[(Style, &str)] = &[
    (style(',', '\'', 3), "it_CH rm_CH"),
    (style('.', '\'', 3), "de_CH"),
    (style('.', '-', 3), "ar_SA sr_RS"),
    (style(',', ' ', 3), "bg_BG cs_CZ es_CR et_EE fi_FI lv_LV mk_MK ru_RU sk_SK sv_FI sv_SE"),
    (style('.', ',', 2), "en_IN ta_IN te_IN"),
    (
        style(',', '.', 3),
        "be_BY da_DK de_BE de_DE de_LU es_AR es_BO es_CL es_CO es_EC es_ES es_PY es_UY es_VE fo_FO hu_HU id_ID is_IS \
         lt_LT mn_MN nb_NO no_NO ro_RO ru_UA sq_AL tr_TR uk_UA vi_VN",
    ),
    (
        style(',', '-', 3),
        "ca_ES de_AT el_GR eu_ES fr_BE fr_CA fr_CH fr_FR fr_LU gl_ES hr_HR it_IT nl_BE nl_NL pl_PL pt_BR pt_PT sl_SI",
    ),
    (
        style('.', ',', 3),
        "ar_AE ar_BH ar_DZ ar_EG ar_IN ar_IQ ar_JO ar_KW ar_LB ar_LY ar_MA ar_OM ar_QA ar_SD ar_SY ar_TN ar_YE en_AU \
         en_CA en_GB en_NZ en_PH en_US en_ZA en_ZW es_DO es_GT es_HN es_MX es_NI es_PA es_PE es_PR es_SV es_US gu_IN \
         he_IL hi_IN ja_JP ko_KR ms_MY th_TH ur_PK zh_CN zh_HK zh_TW",
    ),
];
const ENGLISH: Style = style('.', ',', 3);

fn format_number(context: &FunctionContext, a: &[Value]) -> Result<Value, Error> {
    let Some(decimals) = integer(nth(a, 1)) else { return Ok(Value::Null) };
    let digits = match to_number(nth(a, 0)) {
        Value::Null => return Ok(Value::Null),
        Value::Real(x) => plain_digits(x.0),
        other => as_text(&other).into_owned(),
    };
    let style = match a.get(2) {
        None => ENGLISH,
        Some(name) => {
            let name = text(name).unwrap_or("NULL".into());
            let found = STYLES.iter().find(|(_, names)| names.split(' ').any(|n| n.eq_ignore_ascii_case(&name)));
            found.map_or_else(
                || {
                    let message = format!("Unknown locale: '{name}'");
                    context.warn(Warning::of(Error { code: 1649, state: "HY000", message }));
                    ENGLISH
                },
                |(style, _)| *style,
            )
        }
    };
    // MySQL writes at most 38 decimals of a DOUBLE; DECIMAL has 30.
    Ok(Value::text(written(&round_digits(&digits, decimals.clamp(0, 38) as usize), style)))
}

fn written(rounded: &str, style: Style) -> String {
    let (sign, body) = rounded.strip_prefix('-').map_or(("", rounded), |b| ("-", b));
    let (whole, decimals) = body.split_once('.').map_or((body, None), |(w, d)| (w, Some(d)));
    let mut out = String::from(sign);
    for (i, digit) in whole.chars().enumerate() {
        let left = whole.len() - i;
        let bound = left == 3 || (left > 3 && (left - 3) % style.group == 0);
        if let (Some(separator), true, true) = (style.separator, i > 0, bound) {
            out.push(separator);
        }
        out.push(digit);
    }
    if let Some(decimals) = decimals {
        out.push(style.point);
        out.push_str(decimals);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_locale() {
        let format = |number: Value, decimals: i64, locale: &str| {
            let context = FunctionContext::default();
            let value = format_number(&context, &[number, Value::Int(decimals), Value::from(locale)]).unwrap();
            (as_text(&value).into_owned(), context.warning_count.get())
        };
        assert_eq!(format(Value::real(12332.123456), 4, "en_US"), ("12,332.1235".into(), 0));
        assert_eq!(format(Value::real(-1234567.5), 1, "de_DE"), ("-1.234.567,5".into(), 0));
        assert_eq!(format(Value::Int(1234567890), 0, "en_IN"), ("1,23,45,67,890".into(), 0));
        assert_eq!(format(Value::Int(1234), 2, "ar_SA"), ("1234.00".into(), 0));
        assert_eq!(format(Value::Int(1234), 0, "xx_XX"), ("1,234".into(), 1));
        assert_eq!(format(crate::sql::unsigned::cell(u64::MAX), 0, "en_US").0, "18,446,744,073,709,551,615");
    }
}

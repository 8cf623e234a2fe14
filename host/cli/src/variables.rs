//! Environment variables of options: an option that is typed wins, an empty variable counts as unset.

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, CommandFactory, Error, FromArgMatches};

use super::args::{Args, Command};

/// Parses the command line and the variables of its options; an error names the variable that is wrong.
pub(crate) fn parse() -> Result<Args, Error> {
    let mut command = Args::command().mut_args(|arg| if is_empty(&arg) { arg.env(Resettable::Reset) } else { arg });
    let options: Vec<Arg> = command.get_arguments().filter(|arg| arg.get_env().is_some()).cloned().collect();
    if let Some(variable) = options.iter().find(|arg| value(arg) == Some(None)).and_then(Arg::get_env) {
        let text = format!("the variable {} is not UTF-8", variable.display());
        return Err(command.error(ErrorKind::InvalidUtf8, text));
    }
    let matches = command.try_get_matches_from_mut(std::env::args_os()).map_err(|error| named(error, &options))?;
    let mut args = Args::from_arg_matches(&matches)?;
    let is_from_variable = |option| matches.value_source(option) == Some(ValueSource::EnvVariable);
    args.common.store_is_from_variable = is_from_variable("store");
    // A check has no TTL and no fallback: variables that are meant for other commands do not stop it.
    if matches!(args.command, Command::Conform { .. }) {
        args.common.ttl = args.common.ttl.filter(|_| !is_from_variable("ttl"));
        args.common.fallback = args.common.fallback.filter(|_| !is_from_variable("fallback"));
    }
    Ok(args)
}

/// The text of an option's variable, if it is set: none inside if it is not UTF-8.
fn value(arg: &Arg) -> Option<Option<String>> {
    let value = std::env::var_os(arg.get_env()?)?;
    Some(value.into_string().ok())
}

fn is_empty(arg: &Arg) -> bool {
    value(arg).flatten().is_some_and(|text| text.is_empty())
}

/// The same error, which names the variable instead of the option if the variable has the invalid value.
fn named(mut error: Error, options: &[Arg]) -> Error {
    let (Some(ContextValue::String(option)), Some(ContextValue::String(invalid))) =
        (error.get(ContextKind::InvalidArg), error.get(ContextKind::InvalidValue))
    else {
        return error;
    };
    let is_option = |arg: &&Arg| arg.get_long() == option.split(' ').next().and_then(|name| name.strip_prefix("--"));
    let arg = options.iter().find(is_option).filter(|arg| value(arg).flatten().as_ref() == Some(invalid));
    if let Some(variable) = arg.and_then(Arg::get_env) {
        let variable = ContextValue::String(variable.display().to_string());
        error.insert(ContextKind::InvalidArg, variable);
    }
    error
}

//! A tool that is a command: JSON on stdin, JSON on stdout.

use std::process::Stdio;
use std::time::Duration;

use ticket_host::workflow::{Tool, ToolAnswer, ToolCalling};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

/// Most bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 1024 * 1024;

/// A command that is told JSON and answers JSON. It is killed when its time is up.
#[derive(Clone, Debug)]
pub(crate) struct CommandTool {
    pub(crate) name: String,
    pub(crate) command: Vec<String>,
    pub(crate) time_max: Duration,
    pub(crate) environment: Vec<String>,
}

impl Tool for CommandTool {
    fn call(&self, input: String) -> ToolCalling {
        let tool = self.clone();
        Box::pin(async move {
            match tokio::time::timeout(tool.time_max, tool.answer(input)).await {
                Ok(answer) => answer,
                Err(_) => Err(format!("it took longer than {} ms", tool.time_max.as_millis())),
            }
        })
    }
}

impl CommandTool {
    async fn answer(&self, input: String) -> ToolAnswer {
        let mut child = self.start()?;
        let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("it has no stdin or stdout".to_owned());
        };
        let mut answer = Vec::new();
        // A program may end without having read what it was told.
        let told = async {
            let _ = stdin.write_all(input.as_bytes()).await;
            drop(stdin);
        };
        let mut limited = stdout.take(ANSWER_BYTES_MAX + 1);
        let ((), read) = tokio::join!(told, limited.read_to_end(&mut answer));
        read.map_err(|error| format!("its answer cannot be read: {error}"))?;
        if answer.len() as u64 > ANSWER_BYTES_MAX {
            return Err(format!("its answer has more than {ANSWER_BYTES_MAX} bytes"));
        }
        drop(limited);
        let status = child.wait().await.map_err(|error| format!("it cannot be waited for: {error}"))?;
        if !status.success() {
            return Err(format!("it ended with {status}"));
        }
        String::from_utf8(answer).map_err(|_| "its answer is not UTF-8".to_owned())
    }

    fn start(&self) -> Result<Child, String> {
        const ALWAYS: [&str; 2] = ["PATH", "HOME"];
        let [program, arguments @ ..] = self.command.as_slice() else { return Err("it has no command".to_owned()) };
        let mut command = Command::new(program);
        let variables = ALWAYS.into_iter().chain(self.environment.iter().map(String::as_str));
        command.args(arguments).env_clear().envs(variables.filter_map(|name| Some((name, std::env::var_os(name)?))));
        // What a tool says on stderr is for the operator, not for the workflow.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
        command.spawn().map_err(|error| {
            tracing::warn!(tool = self.name, program, %error, "a tool cannot be started");
            "it cannot be started".to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn call(script: &str, input: &str) -> ToolAnswer {
        let command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        let tool =
            CommandTool { name: "tool".into(), command, time_max: Duration::from_secs(2), environment: Vec::new() };
        tool.call(input.to_owned()).await
    }

    #[tokio::test]
    async fn a_command_is_told_json_and_answers_json() {
        assert_eq!(call("cat", r#"{"a":1}"#).await, Ok(r#"{"a":1}"#.to_owned()));
        assert_eq!(call("echo 7", &"1".repeat(300_000)).await, Ok("7\n".to_owned()));
    }

    #[tokio::test]
    async fn a_command_that_fails_says_how() {
        assert_eq!(call("exit 3", "1").await, Err("it ended with exit status: 3".to_owned()));
        assert_eq!(call("sleep 60", "1").await, Err("it took longer than 2000 ms".to_owned()));
        assert_eq!(call("yes", "1").await, Err("its answer has more than 1048576 bytes".to_owned()));
        assert_eq!(call("printf '\\377'", "1").await, Err("its answer is not UTF-8".to_owned()));
    }

    #[tokio::test]
    async fn a_command_gets_no_variables_that_are_not_named() {
        let answer = call("env | cut -d= -f1 | sort | tr '\\n' ' '", "1").await.expect("an answer");
        let mine: Vec<&str> =
            answer.split_whitespace().filter(|name| !["PWD", "SHLVL", "_", "OLDPWD"].contains(name)).collect();
        assert!(mine.iter().all(|name| ["PATH", "HOME"].contains(name)), "{answer}");
    }
}

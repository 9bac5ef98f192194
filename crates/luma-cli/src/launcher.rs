//! `luma-client`: starts the `luma` beside it. Package runners start the program with the name of the package.

use std::{
    env, io,
    process::{Command, ExitCode},
};

fn main() -> ExitCode {
    match start() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: cannot start luma: {error}");
            // As `luma` reports a file that fails.
            ExitCode::from(3)
        }
    }
}

fn start() -> io::Result<ExitCode> {
    // The links of package managers name only this program.
    let program = env::current_exe()?.canonicalize()?;
    let mut luma = Command::new(program.with_file_name(format!("luma{}", env::consts::EXE_SUFFIX)));
    luma.args(env::args_os().skip(1));
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        Err(luma.exec())
    }
    #[cfg(not(unix))]
    {
        let code = luma.status()?.code();
        Ok(ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
    }
}

"""Compiling Rust, by rustc alone."""

load("//:providers.bzl", "RustCrateInfo")

def compile_crate(ctx, toolchain, name, root, sources, crates, rlibs):
    """Compiles one rlib.

    Args:
      ctx: of the rule or aspect.
      toolchain: what callwright_toolchain gives.
      name: of the crate, one that no other has.
      root: the path of its first source.
      sources: list of File.
      crates: those that it can name.
      rlibs: depset of File, of those crates and of all below them.

    Returns:
      The rlib, a File.
    """
    rlib = ctx.actions.declare_file("lib%s.rlib" % name)
    arguments = ctx.actions.args()
    arguments.add_all(["--crate-type=rlib", "--edition=2024", "--cap-lints=allow", "--crate-name", name])
    arguments.add("-Cmetadata=" + name)
    arguments.add(root)
    arguments.add("-o", rlib)
    arguments.add_all(rustc_arguments(toolchain, crates, rlibs))
    ctx.actions.run(
        executable = toolchain.rustc,
        arguments = [arguments],
        inputs = depset(sources, transitive = [rlibs, toolchain.runtime_files, toolchain.rustc_files]),
        outputs = [rlib],
        mnemonic = "CallwrightRustc",
        progress_message = "Compiling the crate %s" % name,
        use_default_shell_env = True,
    )
    return rlib

def rust_crates(deps):
    """The crates that a target with these deps can name: theirs, and those that they depend on.

    A name of a direct one counts more than that of what comes along. Two direct ones of one name are an error.
    """
    infos = [dep[RustCrateInfo] for dep in deps]
    named = {}
    for info in infos:
        for crate in info.crates:
            other = named.setdefault(crate.name, crate)
            if other.rlib != crate.rlib:
                fail("%s and %s are both the crate `%s` here: give one of the two rules another name" % (
                    other.label,
                    crate.label,
                    crate.name,
                ))
    for info in infos:
        for crate in info.transitive_crates.to_list():
            named.setdefault(crate.name, crate)
    return named.values()

def rustc_arguments(toolchain, crates, rlibs):
    """What rustc has to be told to compile against these crates."""
    folders = {file.dirname: None for file in rlibs.to_list() + toolchain.runtime_files.to_list()}
    arguments = ["-Ldependency=" + folder for folder in folders]
    for crate in crates:
        arguments += ["--extern", "%s=%s" % (crate.name, crate.rlib.path)]
    return toolchain.rustc_flags + arguments + ["--extern", "callwright=" + toolchain.runtime.path]

//! Lines of shell with values in them. Never: running one (the tests from outside do).

use super::line::Line;

/// A line in which `@` is the value.
fn line(text: &str, value: &str) -> Result<String, String> {
    let mut line = Line::default();
    let mut parts = text.split('@');
    line.literal(parts.next().unwrap());
    for part in parts {
        line.value(value).map_err(|failure| failure.message)?;
        line.literal(part);
    }
    line.finish().map_err(|failure| failure.message)
}

const EVIL: &str = "a'b\"c $(touch x) `id` ${HOME} \\ ; rm -rf *\n#} EOF";

#[test]
fn a_value_is_one_word_in_every_kind_of_quotes() {
    assert_eq!(line("echo @", "it's").unwrap(), r"echo 'it'\''s'");
    assert_eq!(line("echo a@b", "").unwrap(), "echo a''b");
    assert_eq!(line("echo \"a @ b\"", "$(x) `y` \"z\" \\").unwrap(), r#"echo "a \$(x) \`y\` \"z\" \\ b""#);
    assert_eq!(line("echo 'a @ b'", "it's").unwrap(), r"echo 'a it'\''s b'");
    assert_eq!(line("echo \"$(cat @)\"", "a b").unwrap(), "echo \"$(cat 'a b')\"");
    assert_eq!(line("echo \"$(cat \"@\")\"", "$x").unwrap(), "echo \"$(cat \"\\$x\")\"");
    assert_eq!(line("echo \"${x:-@}\"", "a}$b").unwrap(), r#"echo "${x:-a\}\$b}""#);
    assert_eq!(line("echo ${x:-@} @", "a}").unwrap(), "echo ${x:-'a}'} 'a}'");
    assert_eq!(line("true # @\necho @", "x\nrm").unwrap(), "true # x rm\necho 'x\nrm'");
    assert_eq!(line("echo a#@", "x\ny").unwrap(), "echo a#'x\ny'");
    assert_eq!(line("echo \\\n#@\n", "x\ny").unwrap(), "echo \\\n#x y\n");
    assert_eq!(line("echo ${x:- #@}", "$y").unwrap(), "echo ${x:- #'$y'}");
    assert_eq!(line("echo \"${x#@}\"", "a*~").unwrap(), r#"echo "${x#a\*\~}""#);
}

#[test]
fn a_dollar_or_backslash_before_a_value_gives_it_no_meaning() {
    assert_eq!(line("echo $@", "(x)").unwrap(), r"echo \$'(x)'");
    assert_eq!(line("echo \"$@\"", "(x)").unwrap(), r#"echo "\$(x)""#);
    assert_eq!(line(r"echo \@", "x'y").unwrap(), r"echo 'x'\''y'");
    assert_eq!(line("echo \"\\@\"", "$x").unwrap(), r#"echo "\\\$x""#);
    assert_eq!(line(r"echo \\@", "x").unwrap(), r"echo \\'x'");
    assert_eq!(line("echo \"$$\" @", "(x)").unwrap(), "echo \"$$\" '(x)'");
    assert_eq!(line("echo $$@", "(x)").unwrap(), "echo $$'(x)'");
}

#[test]
fn arithmetic_takes_whole_numbers_only() {
    assert_eq!(line("echo $(( @ - @ ))", "-3").unwrap(), "echo $(( (-3) - (-3) ))");
    assert_eq!(line("echo $((1+(@))) @", "7").unwrap(), "echo $((1+(7))) '7'");
    for value in ["x", "a[$(id)]", "", "010", "1 + 1", "99999999999999999999"] {
        assert!(line("echo $(( @ ))", value).is_err(), "{value}");
    }
}

#[test]
fn here_documents_hold_values_that_do_not_end_them() {
    assert_eq!(line("cat <<EOF\n@\nEOF\necho @", "$x").unwrap(), "cat <<EOF\n\\$x\nEOF\necho '$x'");
    assert_eq!(line("cat <<'EOF' | wc\n@\nEOF\n@", "$x").unwrap(), "cat <<'EOF' | wc\n$x\nEOF\n'$x'");
    assert_eq!(line("cat <<-\"E F\"\n\t@\n\tE F\n@", "$x").unwrap(), "cat <<-\"E F\"\n\t$x\n\tE F\n'$x'");
    assert_eq!(line("cat <<A <<B\n@\nA\n@\nB\n@", "`").unwrap(), "cat <<A <<B\n\\`\nA\n\\`\nB\n'`'");
    assert_eq!(line("cat <<< @", "x").unwrap(), "cat <<< 'x'");
    assert_eq!(line("cat <<E\na \\\n@\nE\n@", "$x").unwrap(), "cat <<E\na \\\n\\$x\nE\n'$x'");
    assert_eq!(line("x=$(cat <<E\n@\nE\n)@", "(y)").unwrap(), "x=$(cat <<E\n(y)\nE\n)'(y)'");
    for (text, value) in [
        ("cat <<EOF\n@\nrm x\nEOF", "a\nEOF\nb"),
        ("cat <<EOF\n@\nrm x\nEOF", "EOF"),
        ("cat <<EOF\nE@\nrm x\nEOF", "OF"),
        ("cat <<-EOF\n\t@\nrm x\nEOF", "EOF"),
        ("cat <<EOF\n@", "EOF"),
        ("cat <<@\nx\n@", "EOF"),
        ("cat <<EOF\n$(echo @)\nEOF", "x"),
        ("x=$(cat <<EOF\n@\nEOF\n)", "EOF) rm x"),
        ("x=$(cat <<EOF\n@", "EOF)"),
    ] {
        assert!(line(text, value).is_err(), "{text}");
    }
}

#[test]
fn where_shells_differ_nothing_is_inserted() {
    for text in [
        "echo `cat @`",
        "echo $'a\\'@'",
        "echo \"${x:-'@'}\"",
        "echo \"$(case x in x) echo @ ;; esac)\"",
        "echo $(( '@' ))",
        "((x = @))",
        "x=(@)",
        "echo $[@]",
        "echo \"$$(@)\"",
        "cat << -E\n@\n-E",
        "echo ${x:@}",
        "echo ${x$(=@}",
        "echo ${@:-x}",
        "echo \"${x:@}\"",
        "echo ${x:-(} @",
        "cat <(true)#@",
        "(true)#@",
        "echo \"$\\\n(@)\"",
        "cat <\\\n<EOF\n@\nEOF",
        "cat <<E \"$(\n@\nE\n)\"",
        "echo $(cat <<E) $(\n@\nE\n)",
        "x=$(cat <<E\nE)\n@\nE\n)",
        "cat <<E\na\\\nE\n@\nE",
        "cat <<\"E$x\"\n@",
    ] {
        let error = line(text, "1").expect_err(text);
        assert!(error.contains("safely"), "{text}: {error}");
    }
    assert!(line("case @ in x) echo @ ;; esac; (echo @)", "1").is_ok());
    assert!(line("f() { echo \"@\"; }; f", "1").is_ok());
    assert!(line("echo @", "a\0b").is_err());
    assert!(line("echo @", EVIL).is_ok());
}

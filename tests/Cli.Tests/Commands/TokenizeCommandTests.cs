using System.Text.Json;

namespace ManagedTransformers.Cli.Tests;

[TestFixture]
internal sealed class TokenizeCommandTests
{
    private static readonly string[] Tokenizers = ["codegen-python-8k", "digits-python-8k", "roberta-code-8k", "wordpiece-code-4k"];

    [TestCaseSource(nameof(Tokenizers))]
    public void Jsonl_gives_the_ids_tokens_offsets_and_text_of_every_reference_row(string name)
    {
        JsonElement[] rows =
            [.. File.ReadLines(Path.Combine(Folders.Reference, "tokenizers", $"{name}.jsonl")).Select(line => JsonDocument.Parse(line).RootElement)];
        string file = Path.Combine(Folders.Scratch(), "texts.jsonl");
        File.WriteAllLines(file, rows.Select(row => row.GetProperty("text").GetRawText()));

        MtxRun run = MtxRun.Of("tokenize", "--jsonl", file, "--model", Folders.Tokenizer(name));

        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        string[] lines = run.Out.TrimEnd('\n').Split('\n');
        Assert.That(lines, Has.Length.EqualTo(rows.Length));
        for (int i = 0; i < rows.Length; i++)
        {
            JsonElement found = JsonDocument.Parse(lines[i]).RootElement;
            foreach (string property in new[] { "text", "ids", "tokens", "offsets", "type_ids", "decoded" })
                Assert.That(JsonElement.DeepEquals(found.GetProperty(property), rows[i].GetProperty(property)),
                    $"row {i}, {property}: {found.GetProperty(property)}, expected {rows[i].GetProperty(property)}");
            Assert.That(JsonElement.DeepEquals(found.GetProperty("special_tokens_mask"), rows[i].GetProperty("special")), $"row {i}, special_tokens_mask");
            Assert.That(JsonElement.DeepEquals(found.GetProperty("word_ids"), rows[i].GetProperty("words")), $"row {i}, word_ids");
        }
    }

    [Test]
    public void Jsonl_reads_standard_input_and_leaves_special_tokens_out_where_asked()
    {
        MtxRun run = MtxRun.WithInput("\"def f():\"\n\n\"\\u00e9\"\n", "tokenize", "--jsonl", "-", "--no-special-tokens");
        string[] lines = run.Out.TrimEnd('\n').Split('\n');
        Assert.That(run.ExitCode, Is.Zero);
        Assert.That(lines.Select(line => JsonDocument.Parse(line).RootElement.GetProperty("decoded").GetString()), Is.EqualTo(new[] { "def f():", "é" }));
        Assert.That(lines[0], Does.Not.Contain("<s>"));
    }

    [TestCase("{\"a\": 1}")]
    [TestCase("def f():")]
    [TestCase("\"open")]
    [TestCase("\"\\ud800\"")]
    public void A_line_that_is_no_json_string_gives_exit_code_3_and_its_number(string line)
    {
        MtxRun run = MtxRun.WithInput($"\"fine\"\n{line}\n", "tokenize", "--jsonl", "-");
        Assert.That(run.ExitCode, Is.EqualTo(3));
        Assert.That(run.Error, Does.Contain("line 2"));
    }

    [Test]
    public void The_schema_is_stable()
    {
        JsonElement json = MtxRun.Of("tokenize", "x = 1", "--pair", "y", "--json").Json;
        Assert.That(MtxRun.Names(json), Is.EqualTo(new[]
        {
            "text", "pair", "ids", "tokens", "offsets", "type_ids", "special_tokens_mask", "word_ids", "decoded", "overflowing",
        }));
    }

    [Test]
    public void Truncation_leaves_the_first_tokens_and_tells_the_further_windows()
    {
        JsonElement json = MtxRun.Of("tokenize", "one two three four five six", "--max-length", "4", "--stride", "1", "--json").Json;
        Assert.That(json.GetProperty("ids").GetArrayLength(), Is.EqualTo(4));
        Assert.That(json.GetProperty("overflowing").GetArrayLength(), Is.GreaterThan(1));
    }

    [Test]
    public void Text_comes_from_standard_input_without_the_line_break_that_echo_adds()
    {
        JsonElement json = MtxRun.WithInput("a\nb\n", "tokenize", "-", "--json").Json;
        Assert.That(json.GetProperty("text").GetString(), Is.EqualTo("a\nb"));
    }

    [Test]
    public void Text_that_looks_like_markup_or_an_option_is_text()
    {
        MtxRun run = MtxRun.Of("tokenize", "--", "--[red]x[/]");
        Assert.That(run.ExitCode, Is.Zero);
        Assert.That(run.Out, Does.Contain("decoded: --[red]x[/]"));
        Assert.That(MtxRun.Of("tokenize", "@file").Out, Does.Contain("decoded: @file"));
    }

    [Test]
    public void Control_characters_of_a_text_do_not_reach_the_terminal()
    {
        MtxRun run = MtxRun.OnTerminal("tokenize", "\e[31mred\a");
        Assert.That(run.Out, Does.Contain("\\u001B[31mred\\u0007").And.Not.Contain("\e[31mred"));
    }

    [Test]
    public void A_table_is_as_wide_as_its_widest_cells_and_wide_letters_take_two_columns()
    {
        var output = new StringWriter { NewLine = "\n" };
        string[][] rows = [["1", "a"], ["10", "日本"], ["100", "e\u0301\t"]];
        LongTable.Write(new CliConsole(TextReader.Null, output, TextWriter.Null), [">n", "text", ">m"], 3, i => [.. rows[i], "5"]);
        Assert.That(output.ToString(), Is.EqualTo("  n text m\n  1 a    5\n 10 日本 5\n100 e\u0301\\t  5\n"));
    }

    [Test]
    public void A_long_text_is_written_as_it_is_made()
    {
        // 200,000 tokens. The table of a framework held 1.8 kB for each character of the text.
        string text = string.Concat(Enumerable.Repeat("x = [1, 2]\n", 40_000));
        var lines = new CountingWriter();
        int code = Mtx.RunAsync(["tokenize", "-"], new CliConsole(new StringReader(text), lines, TextWriter.Null)).GetAwaiter().GetResult();
        Assert.That(code, Is.Zero);
        Assert.That(lines.Lines, Is.GreaterThan(200_000));
        Assert.That(lines.MostHeld, Is.LessThan(200L * text.Length));
    }

    [Test]
    public void The_windows_of_a_pair_are_written_as_they_are_made()
    {
        // 500 × 500 windows, and as many again.
        string text = string.Concat(Enumerable.Repeat("x ", 1000));
        var lines = new CountingWriter();
        string[] args = ["tokenize", text, "--pair", text, "--max-length", "8", "--json"];
        Assert.That(Mtx.RunAsync(args, new CliConsole(TextReader.Null, lines, TextWriter.Null)).GetAwaiter().GetResult(), Is.Zero);
        Assert.That(lines.Lines, Is.EqualTo(1));
        Assert.That(lines.Chars, Is.GreaterThan(5_000_000));
        Assert.That(lines.MostHeld, Is.LessThan(64 << 20));
    }

    /// <summary>Counts, and looks now and then at how much is held.</summary>
    private sealed class CountingWriter : TextWriter
    {
        private readonly long _before = GC.GetTotalMemory(forceFullCollection: true);

        public long Lines { get; private set; }

        public long Chars { get; private set; }

        public long MostHeld { get; private set; }

        public override System.Text.Encoding Encoding => System.Text.Encoding.UTF8;

        public override void Write(char value) => Write([value]);

        public override void Write(string? value) => Write(value.AsSpan());

        public override void WriteLine(string? value) => Write($"{value}\n");

        public override void Write(ReadOnlySpan<char> buffer)
        {
            long before = Chars >> 20;
            Chars += buffer.Length;
            Lines += buffer.Count('\n');
            if (Chars >> 20 > before)
                MostHeld = Math.Max(MostHeld, GC.GetTotalMemory(forceFullCollection: true) - _before);
        }
    }
}

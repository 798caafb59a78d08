using System.Text.Json;
using System.Text.RegularExpressions;
using ManagedTransformers.Models;

namespace ManagedTransformers.Cli.Tests;

/// <summary>mtx explain without a browser: the file, its data, its links, and what is refused. tests/Explain.Tests looks at the page in a browser.</summary>
[TestFixture]
internal sealed partial class ExplainCommandTests
{
    // 71 tokens of the demo model.
    private const string Fibonacci =
        "def fibonacci(n):\n    \"\"\"Return the n-th Fibonacci number.\"\"\"\n    if n < 2:\n        return n\n"
        + "    a, b = 0, 1\n    for i in range(2, n + 1):\n        a, b = b, a + b\n    return";

    private string _page = "";

    [SetUp]
    public void ChooseAFile() => _page = Path.Combine(Folders.Scratch(), "page.html");

    [Test]
    public void A_page_is_one_file_that_names_no_other()
    {
        MtxRun run = MtxRun.Of("explain", "x = 1", "--out", _page);
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        Assert.That(run.Out, Does.Match(@"^wrote .*page\.html: 3 tokens, 4 layers of 4 heads, \d+\.\d kB\n$"));
        string html = File.ReadAllText(_page);
        Assert.That(html, Does.StartWith("<!DOCTYPE html>").And.Contain("default-src 'none'"));
        Assert.That(html, Does.Not.Contain("{{").And.Not.Match("<link|src=|@import|url\\(|fetch\\(|XMLHttpRequest"));
        Assert.That(Directory.GetFiles(Path.GetDirectoryName(_page)!), Is.EqualTo(new[] { _page }), "nothing temporary is left");
    }

    [Test]
    public void A_page_of_64_tokens_of_a_model_with_the_350Ms_layers_and_heads_is_below_3_MB()
    {
        string folder = Path.Combine(Path.GetDirectoryName(_page)!, "model");
        var config = new CodeGenConfig
        {
            VocabSize = 8192, NPositions = 128, NLayer = 20, NHead = 16, NEmbd = 64, RotaryDim = 4, BosTokenId = 8188, EosTokenId = [8188],
        };
        using (CodeGenForCausalLM model = PretrainedModels.FromConfig<CodeGenForCausalLM>(config, seed: 1))
            model.Save(folder);
        foreach (string file in Directory.GetFiles(Path.Combine(Folders.Repository, "models", "demo-codegen"), "*token*"))
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        MtxRun run = MtxRun.Of("explain", Fibonacci, "--model", folder, "--out", _page, "--json");
        int tokens = run.Json.GetProperty("tokens").GetArrayLength();
        Assert.That(tokens, Is.GreaterThanOrEqualTo(64));
        Assert.That(new FileInfo(_page).Length, Is.LessThan(3_000_000));
        long attention = run.Json.GetProperty("attention").GetProperty("heads").EnumerateArray()
            .Sum(layer => layer.EnumerateArray().Sum(head => head.GetString()!.Length));
        Assert.That(attention, Is.EqualTo(320 * ((tokens * (tokens + 1) / 2 + 2) / 3 * 4)), "a byte for each weight that can be, in base64");
    }

    [Test]
    public void Json_writes_the_data_of_the_page()
    {
        MtxRun run = MtxRun.Of("explain", "def f(x):", "--json", "--generate", "2", "--out", _page);
        Assert.That(MtxRun.Names(run.Json), Is.EqualTo(new[]
        {
            "title", "text", "causal", "model", "focus", "tokens", "vocabulary", "attention", "residual_norms", "logit_lens", "predictions",
            "key_value_bytes_per_token", "steps", "sources", "generator",
        }));
        Assert.That(run.Json.GetProperty("model").GetProperty("name").GetString(), Is.EqualTo("demo-codegen"));
        Assert.That(run.Json.GetProperty("steps").GetArrayLength(), Is.EqualTo(2));
        JsonElement inPage = JsonDocument.Parse(DataElement().Match(File.ReadAllText(_page)).Groups["json"].Value).RootElement;
        Assert.That(JsonElement.DeepEquals(inPage, run.Json));
        Assert.That(MtxRun.Of("explain", "def f(x):", "--json").ExitCode, Is.Zero, "without --out");
    }

    [Test]
    public void A_text_with_a_mask_is_explained_by_the_model_that_fills_masks()
    {
        JsonElement json = MtxRun.Of("explain", "a <mask> c", "--json").Json;
        Assert.That(json.GetProperty("model").GetProperty("name").GetString(), Is.EqualTo("demo-fill-mask"));
        Assert.That(json.GetProperty("causal").GetBoolean(), Is.False);
        JsonElement prediction = json.GetProperty("predictions")[0];
        Assert.That(prediction.GetProperty("position").GetInt32(), Is.EqualTo(json.GetProperty("focus").GetInt32()));
        Assert.That(prediction.GetProperty("attribution").GetProperty("method").GetString(), Is.EqualTo("ablation"));
        Assert.That(prediction.GetProperty("attribution").GetProperty("effects").GetProperty("embedding").ValueKind, Is.EqualTo(JsonValueKind.Null));
    }

    [TestCase("x = 1", "--generate", "1")]
    [TestCase("a <mask> c")]
    public void Every_link_leads_to_the_line_that_has_the_method_and_the_code_is_that_of_the_repository(params string[] args)
    {
        JsonElement sources = MtxRun.Of(["explain", .. args, "--json"]).Json.GetProperty("sources");
        Assert.That(sources.EnumerateArray().Select(source => source.GetProperty("panel").GetString()).Distinct(),
            Is.SupersetOf(new[] { "tokens", "attention", "residual", "lens", "prediction" }));
        foreach (JsonElement source in sources.EnumerateArray())
        {
            (string path, string method, int line) =
                (source.GetProperty("path").GetString()!, source.GetProperty("method").GetString()!, source.GetProperty("line").GetInt32());
            string file = File.ReadAllText(Path.Combine(Folders.Repository, path)).ReplaceLineEndings("\n");
            Assert.That(file.Split('\n')[line - 1], Does.Contain($" {method}("), path);
            Assert.That(source.GetProperty("url").GetString(), Does.EndWith($"{path}#L{line}"));
            string[] code = source.GetProperty("code").GetString()!.Split('\n');
            Assert.That(file, Does.Contain(string.Join('\n', code.Select(one => one.Length == 0 ? one : $"    {one}"))), $"{path} {method}");
            Assert.That(code[^1], Does.Match(@"^\}$|;$"), $"{path} {method}");
            Assert.That(code.Count(line => line.StartsWith("/// <summary>", StringComparison.Ordinal)), Is.LessThan(2),
                $"one member and its comment: {path} {method}");
        }
    }

    private static IEnumerable<string> Explainable() =>
        PretrainedModels.SupportedArchitectures.Where(name => name.EndsWith("ForMaskedLM", StringComparison.Ordinal)
            || name.EndsWith("ForPreTraining", StringComparison.Ordinal) || name.EndsWith("ForCausalLM", StringComparison.Ordinal));

    [TestCaseSource(nameof(Explainable))]
    public void The_code_of_a_model_is_that_of_the_classes_that_its_own_names(string architecture)
    {
        bool causal = architecture.EndsWith("ForCausalLM", StringComparison.Ordinal);
        ExplainSource[] sources = CodeSources.Of(architecture, causal, generation: false);
        Assert.That(sources.Select(source => source.Panel).Distinct(), Is.EqualTo(new[] { "tokens", "attention", "residual", "lens", "prediction" }));
        string family = architecture[..architecture.IndexOf("For", StringComparison.Ordinal)];
        family = family switch { "Roberta" or "XLMRoberta" or "Camembert" => "Bert", "Qwen2" => "Llama", _ => family };      // whose layers they are
        string attention = family is "DistilBert" or "MPNet" ? "SelfAttention" : $"{family}Attention";      // its layer has the attention that encoders share
        Assert.That(sources.Select(source => source.Class), Does.Contain(attention)
            .And.Contain(family == "Llama" ? "LlamaDecoderLayer" : causal && family != "GPTNeoX" ? $"{family}Block" : $"{family}Layer"));
        Assert.That(sources.Select(source => source.Method), Does.Contain("Logits"));
    }

    [TestCase("", "1.0.0", "src/A.cs#L7")]
    [TestCase("https://example.org/a/b", "1.0.0+0123abcd", "https://example.org/a/b/blob/0123abcd/src/A.cs#L7")]
    [TestCase("https://example.org/a/b.git", "1.0.0", "https://example.org/a/b/blob/HEAD/src/A.cs#L7")]
    public void A_link_leads_into_the_repository_where_the_build_names_one(string repository, string version, string link) =>
        Assert.That(CodeSources.Link(repository, version, "src/A.cs", 7), Is.EqualTo(link));

    [Test]
    public void A_file_that_exists_stays_without_force()
    {
        File.WriteAllText(_page, "mine");
        MtxRun run = MtxRun.Of("explain", "x", "--out", _page);
        Assert.That((run.ExitCode, run.Out, File.ReadAllText(_page)), Is.EqualTo((3, "", "mine")));
        Assert.That(run.Error, Does.Contain("exists").And.Contain("--force"));
        Assert.That(MtxRun.Of("explain", "x", "--out", _page, "--force").ExitCode, Is.Zero);
        Assert.That(File.ReadAllText(_page), Does.StartWith("<!DOCTYPE html>"));
    }

    [TestCase(2, "--out FILE is needed", "x")]
    [TestCase(2, "--mask is for encoders, --generate for decoders", "x", "--mask", "1", "--generate", "1", "--json")]
    [TestCase(2, "--mask is for encoders; CodeGenForCausalLM is a decoder", "x", "--mask", "1", "--model", "demo-codegen", "--json")]
    [TestCase(2, "--generate is for decoders; RobertaForMaskedLM is an encoder", "x", "--generate", "1", "--model", "demo-fill-mask", "--json")]
    [TestCase(2, "--mask is 2; the text has 1 mask.", "a <mask>", "--mask", "2", "--json")]
    [TestCase(2, "at least 1", "x", "--generate", "0", "--json")]
    [TestCase(3, "The text has no mask", "x", "--mask", "1", "--json")]
    [TestCase(3, "RobertaForSequenceClassification predicts no token", "x", "--model", "demo-language-id", "--json")]
    [TestCase(3, "The text is empty", "", "--json")]
    [TestCase(3, "at most 256", "x", "--generate", "300", "--json")]
    [TestCase(3, "there is no directory /no/such/folder", "x", "--out", "/no/such/folder/page.html")]
    public void What_cannot_be_explained_is_said_with_its_exit_code(int code, string message, params string[] args)
    {
        MtxRun run = MtxRun.Of(["explain", .. args]);
        Assert.That(run.ExitCode, Is.EqualTo(code), run.Error);
        Assert.That(run.Error, Does.StartWith("mtx: ").And.Contain(message));
    }

    [Test]
    public void The_title_is_the_first_line_of_the_text_unless_another_is_given()
    {
        Assert.That(Title("\n  def f():\n    pass"), Is.EqualTo("def f():"));
        Assert.That(Title(new string('x', 100)), Is.EqualTo(new string('x', 59) + "…"));
        Assert.That(Title("x", "--title", "A lecture"), Is.EqualTo("A lecture"));

        static string Title(string text, params string[] options) => MtxRun.Of(["explain", text, "--json", .. options]).Json.GetProperty("title").GetString()!;
    }

    [Test]
    public void On_a_terminal_the_passes_are_counted() =>
        Assert.That(MtxRun.OnTerminal("explain", "<mask>", "--json").Error, Does.Contain("21 of 21 passes"));

    [GeneratedRegex("""<script type="application/json" id="data">(?<json>[^<]*)</script>""", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex DataElement();
}

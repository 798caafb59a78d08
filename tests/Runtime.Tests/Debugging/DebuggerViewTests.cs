using ManagedTransformers.Kernels;
using ManagedTransformers.Models;
using ManagedTransformers.Testing;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>What a debugger shows of pipelines, generation and results; the strings are those of docs/debugging.md.</summary>
[NonParallelizable]         // the sample names files of the clone, so the current directory is set
public sealed class DebuggerViewTests
{
    private static readonly GenerationOptions s_four = new() { MaxNewTokens = 4, TopLogProbabilities = 2 };
    private TextGenerator _generator = null!;
    private string _directory = "";

    [OneTimeSetUp]
    public void Load() => _generator = TextGenerator.Load(TestData.Model("demo-codegen"));

    [OneTimeTearDown]
    public void Dispose() => _generator.Dispose();

    [SetUp]
    public void RunInTheRepository()
    {
        _directory = Environment.CurrentDirectory;
        Environment.CurrentDirectory = TestData.Root;
    }

    [TearDown]
    public void GoBack() => Environment.CurrentDirectory = _directory;

    [Test]
    public void A_generation_names_its_tokens_and_those_that_its_scores_make_likely()
    {
        SearchPrompt[] prompts = SearchPrompt.Of([_generator.Encode("import numpy as")]);
        GenerationPlan plan = _generator.Plan(prompts, s_four);
        using var search = new TokenSearch(plan);
        Assert.That(DebuggerReader.Property(search, "NextTokens"), Is.Empty);
        search.MoveNext(CancellationToken.None);
        string afterPrompt = DebuggerReader.Display(((Array)DebuggerReader.Property(search, "NextTokens")!).GetValue(0));
        string row = DebuggerReader.Display(search.Rows[0]);
        search.MoveNext(CancellationToken.None);
        string afterToken = DebuggerReader.Display(((Array)DebuggerReader.Property(search, "NextTokens")!).GetValue(0));
        TestContext.Out.WriteLine($"{DebuggerReader.Display(search)}\n{row}\n{afterPrompt}\n{afterToken}");
        InDocumentation(row, afterPrompt);
        Assert.That(afterPrompt, Does.StartWith("after the prompt: \" np\" 0.9"));
        Assert.That(afterToken, Does.StartWith("row 0 of the pass: \"\\n"));
        Assert.That(row, Is.EqualTo("prompt 0, text 0: 3 + 1 tokens, goes on: \" np\""));
        Assert.That(DebuggerReader.Display(search), Is.EqualTo("0 of 1 texts ended, 2 new tokens"));
        Assert.That(DebuggerReader.Open(DebuggerReader.Property(search.Rows[0], "Prompt")!), Is.EqualTo(
            _generator.Encode("import numpy as").Zip(["import", " numpy", " as"], (id, text) => $"{id} \"{text}\"")));
        int next = search.Rows[0].Last;
        DebuggerReader.Open(search);
        DebuggerReader.Open(search.Rows[0]);
        Assert.That(search.Rows[0].Last, Is.EqualTo(next), "looking changed nothing");
    }

    [Test]
    public void Scores_that_a_pass_is_overwriting_are_not_shown()
    {
        SearchPrompt[] prompts = SearchPrompt.Of([[3, 4, 5]]);
        using DecoderForCausalLM model = TinyDecoder.Model(40);
        var plan = new GenerationPlan(model, prompts, new GenerationOptions { MaxNewTokens = 4 }, GenerationOptions.Default);
        using var search = new TokenSearch(plan);
        search.MoveNext(CancellationToken.None);
        search.MoveNext(CancellationToken.None);
        Assert.That(DebuggerReader.Open(((Array)DebuggerReader.Property(search, "NextTokens")!).GetValue(0)!),
            Has.Length.EqualTo(10).And.All.Match(@"^\d+: 0\.\d{4} \(logit "));
        var shown = new List<int>();
        var look = new Intervention("transformer.h.*", _ => shown.Add(((Array)DebuggerReader.Property(search, "NextTokens")!).Length));
        using (search.Session.Trace(new Models.TraceOptions { Names = [], Interventions = [look] }))
            model.Forward([7], search.Session);
        Assert.That(shown, Does.Contain(0), "the session uses that memory for other tensors");
        Assert.That(DebuggerReader.Display(search.Rows[0]), Is.EqualTo("prompt 0, text 0: 3 + 2 tokens, goes on"));
    }

    [Test]
    public void Results_are_one_line_each()
    {
        GeneratedSequence text = _generator.GenerateSequences(["import numpy as"], s_four).Sequences[0];
        Assert.That(DebuggerReader.Display(text), Does.EndWith(": 4 tokens, Length").And.StartWith("\" np"));
        Assert.That(DebuggerReader.Display(text.LogProbabilities![0]), Does.Match($@"^{text.TokenIds[0]} "" np"": 0\.9\d{{3}}$"));

        using var fillMask = FillMaskPipeline.Load(TestData.Model("demo-fill-mask"));
        string filled = DebuggerReader.Display(fillMask.Predict("public static <mask> set(string $key, $value) {")[0]);
        InDocumentation(filled, DebuggerReader.Display(fillMask));
        Assert.That(filled, Is.EqualTo("484 \" function\": 0.9972"));

        using var scorer = TextScorer.Load(TestData.Model("demo-codegen"));
        TextScore score = scorer.Score("import numpy as np", new ScoringOptions { OutputTokens = true });
        InDocumentation(DebuggerReader.Display(score), DebuggerReader.Display(score.Tokens[^1]));
        Assert.That(DebuggerReader.Display(score), Does.Match(@"^log p -\d+\.\d{3}, \d tokens, perplexity \d+\.\d{3}$"));
        Assert.That(DebuggerReader.Display(score.Tokens[^1]), Does.Contain("\" np\": 0.9").And.EndsWith(", rank 1"));
    }

    [Test]
    public void Pipelines_and_sessions_say_when_they_were_disposed()
    {
        var pipeline = TextGenerator.Load(TestData.Model("demo-codegen"));
        GenerationSession session = pipeline.CreateSession();
        session.Generate("import numpy as", s_four);
        Assert.That(DebuggerReader.Display(session), Is.EqualTo("6 of 512 tokens held"));
        Assert.That(DebuggerReader.Property(session, "Text"), Does.StartWith("import numpy as np"));
        session.Dispose();
        pipeline.Dispose();
        Assert.That(DebuggerReader.Display(session), Is.EqualTo("disposed"));
        Assert.That(() => DebuggerReader.Open(session), Throws.Nothing);
        Assert.That(DebuggerReader.Display(pipeline), Does.StartWith("TextGenerator with CodeGenForCausalLM: 4 layers of 256").And.EndsWith(", disposed"));
    }

    [Test]
    public void Beams_show_what_they_have_written()
    {
        SearchPrompt[] prompts = SearchPrompt.Of([_generator.Encode("import numpy as")]);
        using var search = new BeamSearch(prompts[0], _generator.Plan(prompts, new GenerationOptions { NumBeams = 2, MaxNewTokens = 3 }), start: 0);
        search.MoveNext(CancellationToken.None);
        Assert.That(DebuggerReader.Open(DebuggerReader.Property(search, "Beams")!)[0], Does.Match("^\"-0\\.\\d{3}: \" np\"\"$"));
    }

    [Test]
    public void The_worked_example_of_the_documentation_shows_these_strings()
    {
        // sample
        var options = new LoadOptions { Kernels = new KernelOptions { Level = KernelLevel.Reference } };
        using var model = PretrainedModels.Load<ICausalLM>("models/demo-codegen", options);
        var tokenizer = Tokenizers.Tokenizer.Load("models/demo-codegen");
        Tokenizers.TokenEncoding encoding = tokenizer.Encode("import numpy as");
        using Session session = model.CreateSession();
        CausalLMOutput output = model.Forward(encoding.Ids, session, new ForwardOptions { OutputAttentions = true });
        // end
        object[] logitRows = DebuggerReader.Items(output.Logits), attentionRows = DebuggerReader.Items(output.Attentions![0]);
        object head = DebuggerReader.Items(DebuggerReader.Items(session.Cache!)[0])[0];
        object[] shown = [model, tokenizer, encoding, session, session.Cache!, output, output.Logits, output.Attentions[0], attentionRows[1], head];
        InDocumentation([.. shown.Select(DebuggerReader.Display),
            .. DebuggerReader.Items(encoding).Select(DebuggerReader.Display), DebuggerReader.Display(logitRows[2]),
            .. DebuggerReader.Open(DebuggerReader.Property(logitRows[2], "TopIfLogits")!)[..2]]);
        string code = File.ReadAllText(Path.Combine(TestData.Root, "tests", "Runtime.Tests", "Debugging", "DebuggerViewTests.cs"));
        string sample = code.Split("  // sample\n")[1].Split("  // end")[0].TrimEnd(' ').Replace("\n        ", "\n", StringComparison.Ordinal).TrimStart(' ');
        Assert.That(Documentation, Does.Contain($"```csharp\n{sample}```"));
    }

    private static string Documentation => File.ReadAllText(Path.Combine(TestData.Root, "docs", "debugging.md"));

    private static void InDocumentation(params string[] displays)
    {
        foreach (string display in displays)
            TestContext.Out.WriteLine(display);
        foreach (string display in displays)
            Assert.That(Documentation, Does.Contain($"`{display}`"));
    }
}

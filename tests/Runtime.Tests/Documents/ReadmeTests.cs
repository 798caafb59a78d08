using ManagedTransformers.Hub;
using ManagedTransformers.Kernels;
using ManagedTransformers.Models;
using ManagedTransformers.Testing;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>
/// The C# samples of the README, compiled and run. Each method holds one sample between the marks; a test compares it with the
/// README's text, so that neither can change alone.
/// </summary>
public sealed class ReadmeTests : DocumentTest
{
    [Test]
    public void Sample_1_fills_a_mask()
    {
        // sample
        using var fillMask = FillMaskPipeline.Load("models/demo-fill-mask");
        foreach (FillMaskPrediction p in fillMask.Predict("public static <mask> set(string $key, $value) {"))
            Console.WriteLine($"{p.TokenText,-12} {p.Score:P1}");
        // end
        Assert.That(Output.ToString(), Does.StartWith(" function"));
        Assert.That(Output.ToString().Trim().Split('\n'), Has.Length.EqualTo(5));
    }

    [Test]
    public async Task Sample_2_completes_and_infills()
    {
        // sample
        using var generator = TextGenerator.Load("models/demo-codegen");
        await foreach (TextPiece piece in generator.StreamAsync("def hello_world():", new GenerationOptions { MaxNewTokens = 64 }))
            Console.Write(piece.Text);
        string middle = generator.Infill(prefix: "def hello_world():\n    ", suffix: "    return name");
        // end
        Assert.That(Output.ToString(), Does.StartWith("\n    \"\"\"Print hello world and return the name.\"\"\""));
        Assert.That(middle, Is.EqualTo("print(\"Hello World\")"));
    }

    [Test]
    public void Sample_3_draws_searches_remembers_and_drafts()
    {
        // sample
        using var generator = TextGenerator.Load("models/demo-codegen");
        var sampling = new GenerationOptions { DoSample = true, Temperature = 0.8, TopP = 0.95, Seed = 1, NumReturnSequences = 3, MaxNewTokens = 24 };
        IReadOnlyList<string> texts = generator.Generate(["def add(a, b):\n"], sampling);

        GeneratedSequence best = generator.GenerateSequences(["def add(a, b):\n"], new GenerationOptions { NumBeams = 4, MaxNewTokens = 24 }).Sequences[0];
        Console.WriteLine($"{best.Score:F2}: {best.Text}");

        using GenerationSession session = generator.CreateSession();        // keeps what it has read
        string body = session.Generate("def add(a, b):\n").Sequences[0].Text;
        GenerationOutput more = session.Generate("def add(a, b):\n    return a + b\n\ndef sub(a, b):\n", new GenerationOptions { PromptLookupNumTokens = 4 });
        GenerationUsage usage = more.Usage;      // CachedTokens of PromptTokens were not computed; AcceptedTokens of DraftedTokens were right
        // end
        Assert.That(texts, Has.Count.EqualTo(3));
        Assert.That(Output.ToString(), Does.StartWith("-0.").And.Contain("return a + b"));
        Assert.That(body, Is.Not.Empty);
        Assert.That(usage.CachedTokens, Is.GreaterThan(0));
    }

    [Test]
    public void Sample_4_writes_a_program_turn_by_turn()
    {
        // sample
        using var generator = TextGenerator.Load("models/demo-codegen");
        using var program = new ProgramSynthesis(generator);
        program.Next("set x to 7");
        SynthesisTurn turn = program.Next("multiply x by 3");    // turn.Subprogram: x = x * 3
        Console.Write(program.Context);                          // comments and subprograms, so far
        string body = TruncationRecipe.HumanEval.Apply(generator.Generate("def add(a, b):\n"));
        // end
        Assert.That(turn.Subprogram, Is.EqualTo("x = x * 3\n"));
        Assert.That(Output.ToString(), Is.EqualTo("# set x to 7\nx = 7\n\n\n# multiply x by 3\nx = x * 3\n\n\n"));
        Assert.That(body, Does.EndWith("return a + b"));
    }

    [Test]
    public void Sample_5_scores_a_text_and_ranks_continuations()
    {
        // sample
        using var scorer = TextScorer.Load("models/demo-codegen");
        TextScore score = scorer.Score("def add(a, b):\n    return a + b\n");
        Console.WriteLine($"log p = {score.LogProbability:F1}, perplexity {score.Perplexity:F2}, {score.BitsPerByte:F2} bits per byte");
        string likeliest = scorer.Rank("import numpy as", [" pd", " np"])[0].Text;
        // end
        Assert.That(Output.ToString(), Does.StartWith("log p = -").And.Contain("bits per byte"));
        Assert.That(likeliest, Is.EqualTo(" np"));
    }

    [Test]
    public void Sample_6_gives_tensors()
    {
        // sample
        using var model = PretrainedModels.Load<ICausalLM>("models/demo-codegen");
        using Session session = model.CreateSession();
        CausalLMOutput output = model.Forward([313, 5282, 323], session, new ForwardOptions { OutputAttentions = true });
        FloatTensor probabilities = output.Attentions![0];            // [batch, heads, sequence, sequence]
        // end
        Assert.That(probabilities.Shape.ToArray(), Is.EqualTo(new[] { 1, 4, 3, 3 }));
        Assert.That(output.Logits.Shape.ToArray(), Is.EqualTo(new[] { 1, 3, 8192 }));
    }

    [Test]
    public void Sample_7_traces_and_intervenes()
    {
        // sample
        using var model = PretrainedModels.Load<ICausalLM>("models/demo-codegen");
        using Session session = model.CreateSession();
        var withoutHead = new TraceOptions
        {
            Names = ["transformer.h.*", "**.probabilities"], Interventions = [Intervention.ZeroHead("transformer.h.0.attn", head: 2)],
        };
        using ActivationTrace trace = session.Trace(withoutHead);
        FloatTensor logits = model.Forward([313, 5282, 323], session).Logits;
        FloatTensor residual = trace["transformer.h.1"];              // [batch, sequence, n_embd]
        // end
        Assert.That(residual.Shape.ToArray(), Is.EqualTo(new[] { 1, 3, model.Config.HiddenWidth }));
        using Session untouched = model.CreateSession();
        Assert.That(logits.ToArray(), Is.Not.EqualTo(model.Forward([313, 5282, 323], untouched).Logits.ToArray()));
    }

    [Test]
    public void Sample_8_shares_a_model()
    {
        // sample
        using var fillMask = FillMaskPipeline.Load("models/demo-fill-mask");
        using var embedder = SentenceEmbeddingPipeline.Create(fillMask);
        float[] vector = embedder.Embed("def add(a, b):");
        // end
        Assert.That((vector.Length, embedder.ModelId), Is.EqualTo((256, "demo-fill-mask")));
    }

    [Test]
    public void Sample_9_chooses_level_and_threads()
    {
        // sample
        var options = new PipelineOptions { Load = new LoadOptions { Kernels = new KernelOptions { Level = KernelLevel.Portable, MaxThreads = 1 } } };
        using var classifier = TextClassificationPipeline.Load("models/demo-language-id", options);
        LabelScore best = classifier.Classify("outcome := rand.Intn(6) + 1")[0];
        // end
        Assert.That(best.Label, Is.EqualTo("go"));
    }

    [Test]
    public async Task Sample_10_downloads_a_model_and_finds_it()
    {
        using var server = new HubServer("huggingface/CodeBERTa-small-v1");
        foreach (string file in Directory.EnumerateFiles(TestData.Model("demo-fill-mask")))
            server.Files[Path.GetFileName(file)] = await File.ReadAllBytesAsync(file);
        string cache = Directory.CreateTempSubdirectory("mt-readme-").FullName;
        Dictionary<string, string?> variables =
            new() { ["HF_ENDPOINT"] = server.Address, ["HF_HUB_CACHE"] = cache, ["HF_TOKEN"] = "hf_of_the_test", ["HF_HUB_OFFLINE"] = null };
        Dictionary<string, string?> before = variables.Keys.ToDictionary(name => name, Environment.GetEnvironmentVariable);
        Set(variables);
        try
        {
            await DownloadAsync();
        }
        finally
        {
            Set(before);
            Directory.Delete(cache, recursive: true);
        }

        static void Set(Dictionary<string, string?> values)
        {
            foreach ((string name, string? value) in values)
                Environment.SetEnvironmentVariable(name, value);
        }
    }

    private static async Task DownloadAsync()
    {
        // sample
        using var hub = new HubClient();                         // HF_ENDPOINT, HF_TOKEN, HF_HUB_CACHE …, as huggingface_hub reads them
        await hub.DownloadAsync("huggingface/CodeBERTa-small-v1");
        using var codeBerta = FillMaskPipeline.Load(HubCache.Default.Find("huggingface/CodeBERTa-small-v1"));
        // end
        Assert.That(codeBerta.Predict("import <mask> as np")[0].TokenText, Is.EqualTo(" numpy"));
    }

    [Test]
    public void The_samples_are_those_of_the_README() => DocumentSamples.AssertSame("README.md");

    [Test]
    public void Every_sample_of_the_README_compiles_as_it_is_shown() => SampleCompiler.AssertCompiles("README.md");

    [Test]
    public async Task Files_of_models_are_copied_as_the_README_says()
    {
        string readme = await File.ReadAllTextAsync(Path.Combine(TestData.Root, "README.md"));
        string items = readme.Split("```xml\n")[1].Split("```")[0];
        string app = Directory.CreateTempSubdirectory("mt-readme-").FullName;
        try
        {
            await File.WriteAllTextAsync(Path.Combine(app, "App.csproj"),
                $"<Project Sdk=\"Microsoft.NET.Sdk\"><PropertyGroup><TargetFramework>net10.0</TargetFramework></PropertyGroup>{items}</Project>");
            Directory.CreateDirectory(Path.Combine(app, "models", "mine"));
            await File.WriteAllTextAsync(Path.Combine(app, "models", "mine", "config.json"), "{}");
            var start = new System.Diagnostics.ProcessStartInfo("dotnet", ["msbuild", "-getItem:None"])
            {
                WorkingDirectory = app, RedirectStandardOutput = true, UseShellExecute = false,
            };
            using var msbuild = System.Diagnostics.Process.Start(start)!;
            using var found = System.Text.Json.JsonDocument.Parse(await msbuild.StandardOutput.ReadToEndAsync());
            System.Text.Json.JsonElement file = found.RootElement.GetProperty("Items").GetProperty("None")[0];
            Assert.That((file.GetProperty("Identity").GetString()!.Replace('\\', '/'), file.GetProperty("CopyToOutputDirectory").GetString()),
                Is.EqualTo(("models/mine/config.json", "PreserveNewest")));
        }
        finally
        {
            Directory.Delete(app, recursive: true);
        }
    }
}

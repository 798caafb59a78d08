using System.Text.Json;
using ManagedTransformers.Kernels;
using ManagedTransformers.Models;

namespace ManagedTransformers.Cli.Tests;

[TestFixture]
internal sealed class InspectCommandTests
{
    [Test]
    public void A_demo_model_has_its_published_size_and_a_tokenizer_that_fits()
    {
        MtxRun run = MtxRun.Of("inspect", "demo-codegen", "--json");
        Assert.That(run.ExitCode, Is.Zero);
        JsonElement json = run.Json;
        Assert.That(MtxRun.Names(json), Is.EqualTo(new[]
        {
            "directory", "architecture", "parameters", "bytes", "max_tokens", "dtypes", "tokenizer", "problems",
            "config", "tensors", "recognised_architecture", "memory", "missing", "warnings",
            "kernels", "kernel_levels",
        }));
        Assert.That(json.GetProperty("architecture").GetString(), Is.EqualTo("CodeGenForCausalLM"));
        Assert.That(json.GetProperty("parameters").GetInt64(), Is.EqualTo(7_355_904));
        Assert.That(json.GetProperty("bytes").GetInt64(), Is.EqualTo(2 * 7_355_904));
        Assert.That(json.GetProperty("tokenizer").GetProperty("fits").GetBoolean(), Is.True);
        Assert.That(json.GetProperty("kernels").GetString(), Is.EqualTo($"{KernelDispatch.Level}"));
        Assert.That(json.GetProperty("kernel_levels").EnumerateArray().Select(level => level.GetString()),
            Is.EqualTo(KernelDispatch.Supported.Select(level => $"{level}")));
        Assert.That(json.GetProperty("config").GetProperty("n_embd").GetInt32(), Is.EqualTo(256));
        Assert.That(MtxRun.Names(json.GetProperty("tensors")[0]), Is.EqualTo(new[] { "name", "dtype", "shape", "elements", "bytes", "file", "read", "use" }));
    }

    [Test]
    public void People_see_architecture_parameters_and_tensors()
    {
        MtxRun run = MtxRun.Of("inspect", Folders.Case("codegen-bf16-sharded"));
        Assert.That(run.ExitCode, Is.Zero);
        Assert.That(run.Out,
            Does.Contain("CodeGenForCausalLM").And.Contain("BF16").And.Contain("transformer.h.0.attn.qkv_proj.weight").And.Match("tokenizer +none"));
    }

    [Test]
    public void A_tokenizer_of_another_model_is_a_problem_and_gives_exit_code_1()
    {
        string copy = Folders.CopyOfCase("roberta-mlm");
        File.Copy(Path.Combine(Folders.Tokenizer("roberta-code-8k"), "tokenizer.json"), Path.Combine(copy, "tokenizer.json"));
        MtxRun run = MtxRun.Of("inspect", copy, "--json");
        Assert.That(run.ExitCode, Is.EqualTo(1));
        Assert.That(run.Json.GetProperty("tokenizer").GetProperty("fits").GetBoolean(), Is.False);
        Assert.That(run.Json.GetProperty("problems")[0].GetString(), Does.Contain("vocab_size"));
    }

    [Test]
    public void An_architecture_that_is_unknown_is_shown_and_gives_exit_code_1()
    {
        string copy = Folders.CopyOfCase("bert-embed");
        string config = Path.Combine(copy, "config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace("BertModel", "LlamaForCausalLM", StringComparison.Ordinal));
        MtxRun run = MtxRun.Of("inspect", copy);
        Assert.That(run.ExitCode, Is.EqualTo(1));
        Assert.That(run.Out, Does.Contain("cannot run").And.Contain("LlamaForCausalLM").And.Contain("embeddings.word_embeddings.weight"));
    }

    [Test]
    public void A_very_long_text_is_shown_in_part()
    {
        string copy = Folders.CopyOfCase("bert-embed"), config = Path.Combine(copy, "config.json"), text = string.Concat(Enumerable.Repeat("b ", 30_000));
        File.WriteAllText(config, File.ReadAllText(config).TrimEnd()[..^1] + $$""", "comment": "{{text}}"}""");
        MtxRun run = MtxRun.Of("inspect", copy);
        Assert.That(run.Out, Does.Contain("… (60002 characters)"));
        Assert.That(run.Out, Has.Length.LessThan(100_000));
        Assert.That(MtxRun.Of("inspect", copy, "--json").Out, Does.Contain(text));
    }

    [Test]
    public void A_folder_without_weights_gives_exit_code_3()
    {
        MtxRun run = MtxRun.Of("inspect", Folders.Scratch());
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((3, "")));
        Assert.That(run.Error, Does.Contain("model.safetensors"));
    }

    [Test]
    public void Memory_is_reported_for_every_format()
    {
        // qkv, out, fc_in, fc_out of 4 layers and lm_head are matrices; wte, LayerNorms and biases stay, and in Int8 and Int4 lm_head, too.
        JsonElement json = MtxRun.Of("inspect", "demo-codegen", "--json").Json;
        JsonElement[] tensors = [.. json.GetProperty("tensors").EnumerateArray()];
        long matrices = tensors.Where(t => t.GetProperty("shape").GetArrayLength() == 2 && t.GetProperty("name").GetString() != "transformer.wte.weight")
            .Sum(t => t.GetProperty("elements").GetInt64());
        long rest = 7_355_904 - matrices, head = 8192 * 256;
        Dictionary<string, long> memory = json.GetProperty("memory").EnumerateArray()
            .ToDictionary(m => m.GetProperty("format").GetString()!, m => m.GetProperty("bytes").GetInt64());
        Assert.That(matrices, Is.Positive.And.LessThan(7_355_904));
        Assert.That(memory, Is.EqualTo(new Dictionary<string, long>
        {
            ["F32"] = (4 * matrices) + (2 * rest), ["F16"] = 2 * 7_355_904, ["BF16"] = 2 * 7_355_904,
            ["Int8"] = ((matrices - head) / 32 * 34) + (2 * (rest + head)), ["Int4"] = ((matrices - head) / 32 * 18) + (2 * (rest + head)),
        }));
        Dictionary<string, long?> withHead = json.GetProperty("memory").EnumerateArray().ToDictionary(m => m.GetProperty("format").GetString()!,
            m => m.GetProperty("bytes_with_head") is { ValueKind: JsonValueKind.Number } bytes ? bytes.GetInt64() : (long?)null);
        Assert.That(withHead, Is.EqualTo(new Dictionary<string, long?>
        {
            ["F32"] = null, ["F16"] = null, ["BF16"] = null, ["Int8"] = (matrices / 32 * 34) + (2 * rest), ["Int4"] = (matrices / 32 * 18) + (2 * rest),
        }));
        Assert.That(MtxRun.Of("inspect", "demo-codegen").Out,
            Does.Match(@"memory +F32 .*, Int8 11\.8 MB \(9\.8 MB with --quantize-head\), Int4 10\.2 MB \(7\.2 MB with --quantize-head\)"));
    }

    [Test]
    public void The_tokenizer_is_compared_in_numbers()
    {
        JsonElement tokenizer = MtxRun.Of("inspect", "demo-codegen", "--json").Json.GetProperty("tokenizer");
        Assert.That((tokenizer.GetProperty("highest_id").GetInt32(), tokenizer.GetProperty("model_vocab_size").GetInt32()), Is.EqualTo((8191, 8192)));
        Assert.That(MtxRun.Of("inspect", "demo-codegen").Out, Does.Match("tokenizer +8192 tokens, ids up to 8191; fits vocab_size 8192"));
    }

    [Test]
    public void A_single_file_is_shown_without_a_verdict()
    {
        MtxRun run = MtxRun.Of("inspect", Path.Combine(Folders.Case("bert-embed"), "model.safetensors"), "--json");
        Assert.That(run.ExitCode, Is.Zero);
        Assert.That(run.Json.GetProperty("tensors").GetArrayLength(), Is.Positive);
        Assert.That(run.Json.GetProperty("architecture").ValueKind, Is.EqualTo(JsonValueKind.Null));
        Assert.That(run.Json.GetProperty("problems").GetArrayLength(), Is.Zero);
    }

    [Test]
    public void What_is_missing_left_over_or_unknown_is_reported()
    {
        string copy = Folders.CopyOfCase("bert-embed"), file = Path.Combine(copy, "model.safetensors");
        Rewrite(file, weight => weight.Name.EndsWith("pooler.dense.bias", StringComparison.Ordinal) ? null : TensorEntry.Create(weight),
            TensorEntry.Create("embeddings.position_ids", [1], new long[1]), TensorEntry.Create("surprise", [1], new float[1]));
        JsonElement json = MtxRun.Of("inspect", copy, "--json").Json;
        Assert.That(json.GetProperty("architecture").ValueKind, Is.EqualTo(JsonValueKind.Null));
        Assert.That(json.GetProperty("recognised_architecture").GetString(), Is.EqualTo("BertModel"));
        Assert.That(json.GetProperty("missing")[0].GetString(), Does.EndWith("pooler.dense.bias"));
        Assert.That(UseOf(json, "embeddings.position_ids"), Is.EqualTo("buffer"));
    }

    [Test]
    public void Old_names_and_unknown_tensors_are_reported_where_only_those_are_wrong()
    {
        string copy = Folders.CopyOfCase("bert-embed"), file = Path.Combine(copy, "model.safetensors");
        Rewrite(file, weight => TensorEntry.Create(weight, weight.Name.Replace("LayerNorm.weight", "LayerNorm.gamma", StringComparison.Ordinal)),
            TensorEntry.Create("surprise", [1], new float[1]));
        MtxRun run = MtxRun.Of("inspect", copy, "--json");
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        Assert.That(run.Json.GetProperty("warnings")[0].GetString(), Does.StartWith("surprise in model.safetensors is [1]"));
        Assert.That(MtxRun.Of("inspect", copy).Out, Does.Contain("warning: surprise"));
        MtxRun strict = MtxRun.Of("inspect", copy, "--json", "--strict");
        Assert.That(strict.ExitCode, Is.EqualTo(1));
        Assert.That(strict.Json.GetProperty("problems")[0].GetString(), Does.Contain("surprise"));
        Assert.That((UseOf(run.Json, "surprise"), UseOf(strict.Json, "surprise")), Is.EqualTo(("unknown", "unknown")));
        Assert.That(run.Json.GetProperty("tensors").EnumerateArray().Where(t => t.GetProperty("name").GetString()!.EndsWith("gamma", StringComparison.Ordinal))
            .Select(t => t.GetProperty("use").GetString()),
            Is.Not.Empty.And.All.EqualTo("weight_by_old_name"));
    }

    [Test]
    public void Names_of_a_wrapped_model_are_weights_with_a_warning()
    {
        string copy = Folders.CopyOfCase("bert-embed");
        Rewrite(Path.Combine(copy, "model.safetensors"), weight => TensorEntry.Create(weight, "module." + weight.Name));
        MtxRun run = MtxRun.Of("inspect", copy, "--json");
        Assert.That(run.ExitCode, Is.Zero);
        Assert.That(run.Json.GetProperty("tensors").EnumerateArray().Select(t => t.GetProperty("use").GetString()), Is.All.EqualTo("weight"));
        Assert.That(run.Json.GetProperty("warnings")[0].GetString(), Does.Contain("begin with module."));
        MtxRun convert = MtxRun.Of("convert", copy, Path.Combine(copy, "converted"));
        Assert.That(convert.ExitCode, Is.Zero);
        Assert.That(convert.Error, Does.StartWith("mtx: warning: All "));
        Assert.That(MtxRun.Of("inspect", Path.Combine(copy, "converted"), "--json", "--strict").ExitCode, Is.Zero);
    }

    private static string? UseOf(JsonElement json, string name) =>
        json.GetProperty("tensors").EnumerateArray().Single(tensor => tensor.GetProperty("name").GetString() == name).GetProperty("use").GetString();

    /// <summary>Writes a file again with each tensor changed, or left out where it becomes null, and with more.</summary>
    private static void Rewrite(string path, Func<Weight, TensorEntry?> change, params TensorEntry[] more)
    {
        string changed = path + ".changed";
        using (SafetensorsFile file = SafetensorsFile.Open(path))
            SafetensorsWriter.Write(changed, [.. file.Weights.Values.Select(change).OfType<TensorEntry>(), .. more]);
        File.Move(changed, path, overwrite: true);
    }
}

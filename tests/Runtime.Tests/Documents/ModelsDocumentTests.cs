using System.Text.RegularExpressions;
using ManagedTransformers.Models;
using ManagedTransformers.Testing;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>docs/models.md: its sample, compiled and run, and that it names what there is.</summary>
public sealed partial class ModelsDocumentTests : DocumentTest
{
    private static readonly string s_document = File.ReadAllText(Path.Combine(TestData.Root, "docs", "models.md"));

    [Test]
    public void Sample_1_says_what_a_checkpoint_is()
    {
        // sample
        using var model = PretrainedModels.Load("models/demo-codegen");         // the class that config.json names
        Console.WriteLine($"{model.Architecture}: {model.Config.Layers} layers of {model.Config.HiddenWidth}, {model.Config.MaxTokens} tokens");
        bool isThere = PretrainedModels.SupportedArchitectures.Contains("Qwen2ForCausalLM");
        // end
        Assert.That(Output.ToString(), Is.EqualTo("CodeGenForCausalLM: 4 layers of 256, 512 tokens\n"));
        Assert.That(isThere, Is.True);
    }

    [Test]
    public void The_tables_name_every_class_and_no_other() => Assert.That(
        Row().Matches(s_document).SelectMany(row => row.Groups["classes"].Value.Split(", ")), Is.EquivalentTo(PretrainedModels.SupportedArchitectures));

    [TestCase("llama", """{"rope_scaling": {"rope_type": "longrope", "factor": 2}}""", "rope_type")]
    [TestCase("gpt_neox", """{"rope_parameters": {"rope_theta": 10000}}""", "rope_parameters")]
    [TestCase("llama", """{"quantization_config": {"quant_method": "gptq", "bits": 4}}""", "quantization_config")]
    [TestCase("llama", """{"vision_config": {"hidden_size": 8}}""", "vision_config")]
    [TestCase("llama", """{"num_local_experts": 8}""", "num_local_experts")]
    [TestCase("llama", """{"num_key_value_heads": 3}""", "num_key_value_heads")]
    [TestCase("qwen2", """{"num_experts": 8}""", "num_experts")]
    [TestCase("qwen2", """{"use_sliding_window": true}""", "use_sliding_window")]
    [TestCase("gptj", """{"rotary_dim": null}""", "rotary_dim")]
    [TestCase("gpt2", """{"add_cross_attention": true}""", "add_cross_attention")]
    [TestCase("bert", """{"position_embedding_type": "relative_key"}""", "position_embedding_type")]
    [TestCase("bert", """{"is_decoder": true}""", "is_decoder")]
    public void What_the_document_says_is_refused_is_refused_by_name(string family, string keys, string named)
    {
        string json = $"{{\"model_type\": \"{family}\", {keys[1..]}";
        Assert.That(() => ConfigJson.Parse(System.Text.Encoding.UTF8.GetBytes(json)).Validate(),
            Throws.TypeOf<ConfigException>().With.Message.Contains(named).And.Message.Contains("needed"));
        Assert.That(s_document, Does.Contain(named).Or.Contain(named.Replace("rope_type", "rope_scaling", StringComparison.Ordinal))
            .Or.Contain("key-value heads that do not divide heads"));
    }

    [Test]
    public void The_sample_is_that_of_the_document_and_compiles_as_it_is_shown()
    {
        DocumentSamples.AssertSame("docs/models.md");
        SampleCompiler.AssertCompiles("docs/models.md");
    }

    [GeneratedRegex(@"^\| [\w\- ]+ \| (?<classes>\w+Model, [\w, ]+) \|", RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 5000)]
    private static partial Regex Row();
}

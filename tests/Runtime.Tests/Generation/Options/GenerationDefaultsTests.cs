using System.Text;
using ManagedTransformers.Kernels;
using ManagedTransformers.Models;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>What generation_config.json and config.json say, in the forms that real checkpoints have.</summary>
public sealed class GenerationDefaultsTests
{
    private const string Prompt = "def add(a, b):";

    [Test]
    public void The_end_token_of_generation_config_is_the_end_token()
    {
        using TextGenerator generator = Open("eos-override");
        Assert.That(generator.Defaults.EosTokenId, Is.EqualTo(new[] { 198 }), "not the tokenizer's 8188");
        Assert.That(generator.Warnings, Is.Empty);
        GeneratedSequence text = generator.GenerateSequences(["def hello_world():"]).Sequences[0];
        Assert.That((text.TokenIds, text.FinishReason), Is.EqualTo((new[] { 198 }, FinishReason.EndToken)));
        GeneratedSequence endless = generator.GenerateSequences(["x"], new GenerationOptions { EosTokenId = [] }).Sequences[0];
        Assert.That(endless.TokenIds, Has.Count.EqualTo(24), "nor does it replace the caller's none");
    }

    [Test]
    public void Without_generation_config_the_options_in_config_json_hold()
    {
        using TextGenerator generator = Open("legacy-gen"), control = Open("legacy-gen-none");
        Assert.That((generator.Defaults.MaxLength, generator.Defaults.RepetitionPenalty), Is.EqualTo(((int?)12, (double?)5)));
        int[] text = Ids(generator), plain = Ids(control);
        Assert.That(text, Has.Length.EqualTo(12 - generator.Encode(Prompt).Length));
        Assert.That(text, Is.EqualTo(Ids(control, new GenerationOptions { MaxLength = 12, RepetitionPenalty = 5 })));
        Assert.That(control.Defaults.MaxLength, Is.Null, "20 is what transformers writes where nobody said anything");
        Assert.That(plain, Has.Length.GreaterThan(text.Length));
        Assert.That((generator.Warnings, control.Warnings), Is.EqualTo((Array.Empty<string>(), Array.Empty<string>())));
    }

    [Test]
    public void With_generation_config_the_options_in_config_json_do_not_hold()
    {
        using TextGenerator generator = Open("legacy-gen", """{"max_new_tokens": 5}""");
        GenerationOptions defaults = generator.Defaults;
        Assert.That((defaults.MaxLength, defaults.RepetitionPenalty, defaults.MaxNewTokens), Is.EqualTo(((int?)null, (double?)null, (int?)5)));
    }

    [Test]
    public void A_checkpoint_without_tokenizer_has_defaults_too()
    {
        GenerationDefaults defaults = GenerationDefaults.Load(TestData.Reference("generation"));
        Assert.That((defaults.Options.PadTokenId, defaults.Options.MaxLength, defaults.Warnings.Count), Is.EqualTo(((int?)0, (int?)null, 0)));
        Assert.That(defaults.Options.EosTokenId, Is.EqualTo(new[] { 2 }));
        using CodeGenForCausalLM model = PretrainedModels.Load<CodeGenForCausalLM>(TestData.Reference("generation"));
        GenerationOptions four = new() { MaxNewTokens = 4 };
        Assert.That(model.Generate([[63, 150]], defaults: four)[0], Is.EqualTo(model.Generate([[63, 150]], four)[0]));
        Assert.That(model.Generate([[63, 150]], new GenerationOptions { MaxNewTokens = 2 }, four)[0], Has.Length.EqualTo(2), "they give way");
        Assert.That(() => GenerationDefaults.Load(Path.GetTempPath()), Throws.TypeOf<ConfigException>().With.Message.Contains("config.json"));
    }

    [Test]
    public void NaN_as_Python_writes_it_is_read_where_it_says_nothing()
    {
        using TextGenerator generator = Open("gc-nan");
        Assert.That(Ids(generator), Has.Length.EqualTo(4));
        Assert.That(generator.Warnings, Is.Empty, "diversity_penalty works between num_beam_groups only");
    }

    [TestCase("""{"max_new_tokens": NaN}""", "generation_config.json: max_new_tokens is NaN; a whole number of 32 bits is needed.")]
    [TestCase("""{"temperature": NaN}""", "generation_config.json: temperature is NaN; a number above 0 is needed.")]
    [TestCase("""{"length_penalty":-Infinity}""", "generation_config.json: length_penalty is -Infinity; a finite number is needed.")]
    [TestCase("""{"eos_token_id": Infinity}""", "generation_config.json: eos_token_id is Infinity; an id or a list of ids is needed.")]
    [TestCase("""{"do_sample": Nan}""", "generation_config.json cannot be read")]
    public void A_number_that_a_key_cannot_be_names_the_key(string json, string message) =>
        Assert.That(() => GenerationOptions.FromJson(Utf8(json)), Throws.TypeOf<ConfigException>().With.Message.StartsWith(message));

    [Test]
    public void Infinity_is_a_bias_and_words_in_texts_stay_words()
    {
        const string json = """{"sequence_bias": [[[5], -Infinity], [[6], Infinity]], "stop_strings": ["NaN", "\"-Infinity", "\\"]}""";
        GenerationOptions options = GenerationOptions.FromJson(Utf8(json));
        Assert.That(options.SequenceBias!.Select(bias => bias.Bias), Is.EqualTo(new[] { float.NegativeInfinity, float.PositiveInfinity }));
        Assert.That(options.StopStrings, Is.EqualTo(new[] { "NaN", "\"-Infinity", "\\" }));
    }

    [TestCase("""{"num_beam_groups": 2, "diversity_penalty": 1.0}""", "num_beam_groups 2")]
    [TestCase("""{"penalty_alpha": 0.6, "top_k": 4}""", "penalty_alpha 0.6")]
    [TestCase("""{"guidance_scale": 1.5}""", "guidance_scale 1.5")]
    [TestCase("""{"forced_bos_token_id": 0}""", "forced_bos_token_id 0")]
    [TestCase("""{"exponential_decay_length_penalty": [5, 1.1]}""", "exponential_decay_length_penalty [5, 1.1]")]
    [TestCase("""{"token_healing": true}""", "token_healing true")]
    [TestCase("""{"num_beam_groups": 1, "penalty_alpha": null, "encoder_repetition_penalty": 1.0, "token_healing": false, "constraints": []}""", null)]
    public void What_is_not_supported_is_named_where_it_matters(string json, string? named)
    {
        GenerationDefaults defaults = GenerationDefaults.Of(Utf8(json), new CodeGenConfig(), tokenizer: null);
        Assert.That(defaults.Warnings, Has.Count.EqualTo(named is null ? 0 : 1));
        if (named is not null)
            Assert.That(defaults.Warnings[0], Does.StartWith($"generation_config.json says {named}, which this runtime does not do"));
    }

    [Test]
    public void The_document_says_what_is_not_done()
    {
        string document = File.ReadAllText(Path.Combine(TestData.Root, "docs", "generation.md"));
        Assert.That(UnsupportedOptions.Names.Where(name => !document.Contains(name, StringComparison.Ordinal)), Is.Empty);
    }

    [Test]
    public void The_beginning_of_text_token_of_generation_config_begins_an_empty_prompt()
    {
        using TextGenerator generator = Open("legacy-gen-none", """{"bos_token_id": 198}"""), silent = Open("legacy-gen-none");
        Assert.That((generator.Encode(""), generator.Encode("", new GenerationOptions { BosTokenId = 7 })), Is.EqualTo((new[] { 198 }, new[] { 7 })));
        Assert.That(silent.Encode(""), Is.EqualTo(new[] { 8188 }), "else the tokenizer's");
    }

    [Test]
    public void Sessions_keep_keys_and_values_as_the_checkpoint_says()
    {
        using TextGenerator generator = Open("legacy-gen-none", """{"key_value_type": "float16", "max_new_tokens": 3}""");
        using GenerationSession session = generator.CreateSession(), own = generator.CreateSession(new SessionOptions { KeyValueType = WeightType.BF16 });
        GenerationOptions f32 = new() { KeyValueType = WeightType.F32 };
        Assert.That(() => session.Generate(Prompt, f32), Throws.TypeOf<ModelInputException>().With.Message.Contains("as F16"));
        Assert.That(session.Generate(Prompt).Sequences[0].TokenIds, Is.EqualTo(Ids(generator)));
        Assert.That(() => own.Generate(Prompt, f32), Throws.TypeOf<ModelInputException>().With.Message.Contains("as BF16"));
        using var program = new ProgramSynthesis(generator, new SynthesisOptions { Generation = new GenerationOptions { KeyValueType = WeightType.BF16 } });
        Assert.That(() => program.Next("set x to 7"), Throws.Nothing);
    }

    private static TextGenerator Open(string name, string? generationConfig = null)
    {
        var files = new Dictionary<string, ReadOnlyMemory<byte>>(TestData.CaseFiles(name));
        if (generationConfig is not null)
            files[GenerationDefaults.File] = Utf8(generationConfig);
        return TextGenerator.FromFiles(files);
    }

    private static int[] Ids(TextGenerator generator, GenerationOptions? options = null) => generator.GenerateIds([generator.Encode(Prompt)], options)[0];

    private static ReadOnlyMemory<byte> Utf8(string text) => Encoding.UTF8.GetBytes(text);
}

using System.Text;

namespace ManagedTransformers.Models.Tests;

public sealed class ConfigJsonTests
{
    private static PretrainedConfig Parse(string json) => ConfigJson.Parse(Encoding.UTF8.GetBytes(json));

    [TestCase("""{"model_type": "roberta", "eos_token_id": [2, 7]}""", new[] { 2, 7 })]
    [TestCase("""{"model_type": "roberta", "eos_token_id": 5}""", new[] { 5 })]
    [TestCase("""{"model_type": "roberta", "eos_token_id": null}""", new int[0])]
    public void Eos_token_id_is_a_number_a_list_or_null(string json, int[] ids) => Assert.That(Parse(json).EosTokenId, Is.EqualTo(ids));

    [Test]
    public void A_file_without_model_type_is_recognised_by_its_architecture() =>
        Assert.That(Parse("""{"architectures": ["RobertaForMaskedLM"]}"""), Is.TypeOf<RobertaConfig>());

    [TestCase("""{"model_type": "bert", "num_labels": 5}""", 5)]
    [TestCase("""{"model_type": "roberta", "num_labels": 1, "id2label": null}""", 1)]
    [TestCase("""{"model_type": "bert", "num_labels": 5, "id2label": {"0": "a", "1": "b", "2": "c"}}""", 3, Description = "id2label wins, as in transformers")]
    [TestCase("""{"model_type": "bert", "architectures": null, "id2label": null}""", 2)]
    public void The_number_of_labels_is_that_of_id2label_or_num_labels(string json, int count)
    {
        PretrainedConfig config = Parse(json);
        Assert.That(config.NumLabels, Is.EqualTo(count));
        Assert.That(config.Label(count - 1), Is.EqualTo(count == 3 ? "c" : $"LABEL_{count - 1}"));
        Assert.That(config.Architectures, Is.Empty);
    }

    [Test]
    public void A_label_that_is_a_number_is_its_text()
    {
        PretrainedConfig config = Parse("""{"model_type": "roberta", "id2label": {"0": 0, "1": 1.5, "2": "two"}}""");
        Assert.That(config.Id2Label.Values, Is.EqualTo(new[] { "0", "1.5", "two" }));
        Assert.That(ConfigJson.Parse(ConfigJson.Write(config)).Id2Label, Is.EqualTo(config.Id2Label));
    }

    [TestCase("""{"model_type": "codegen", "attn_pdrop": 1e999}""", "config.json: attn_pdrop is Infinity; a finite number is needed")]
    [TestCase("""{"model_type": "llama", "rope_scaling": {"rope_type": "yarn", "factor": 2, "attention_factor": 1e999}}""",
        "config.json: rope_scaling: attention_factor is Infinity; a finite number is needed")]
    public void A_number_beyond_what_a_double_holds_is_refused_whether_it_is_computed_with_or_not(string json, string says) =>
        Assert.That(() => Parse(json), Throws.TypeOf<ConfigException>().With.Message.Contains(says));

    [TestCase("Infinity")]
    [TestCase("-Infinity")]
    [TestCase("NaN")]
    public void Numbers_of_Python_are_read_where_nobody_needs_them_and_refused_by_their_key_elsewhere(string number)
    {
        var config = (BertConfig)Parse($$"""{"metric_best": {{number}}, "name": "a \"{{number}}", "model_type": "bert", "hidden_size": 24}""");
        Assert.That(config.HiddenSize, Is.EqualTo(24));
        Assert.That(config.OtherKeys["metric_best"].GetString(), Is.EqualTo(number));
        Assert.That(config.OtherKeys["name"].GetString(), Is.EqualTo($"a \"{number}"));
        foreach (string key in new[] { "hidden_size", "layer_norm_eps" })
            Assert.That(() => Parse($$"""{"model_type": "bert", "{{key}}": {{number}}}"""), Throws.TypeOf<ConfigException>().With.Message.Contains(key));
    }

    [TestCase("0")]
    [TestCase("2000000000")]
    [TestCase("\"two\"")]
    public void An_impossible_num_labels_is_refused(string count) =>
        Assert.That(() => Parse($$"""{"model_type": "bert", "num_labels": {{count}}}"""), Throws.TypeOf<ConfigException>().With.Message.Contains("num_labels"));

    [Test]
    public void Writing_keeps_keys_that_nobody_reads()
    {
        PretrainedConfig config = Parse("""{"model_type": "bert", "hidden_size": 24, "some_key": {"a": [1, 2]}}""");
        var again = (BertConfig)ConfigJson.Parse(ConfigJson.Write(config));
        Assert.That(again.HiddenSize, Is.EqualTo(24));
        Assert.That(again.OtherKeys["some_key"].GetProperty("a")[1].GetInt32(), Is.EqualTo(2));
    }

    [TestCase("", "cannot be read")]
    [TestCase("{\"model_type\": \"bert\"", "cannot be read")]
    [TestCase("null", "an object is needed")]
    [TestCase("[1]", "an object is needed")]
    [TestCase("{}", "model_type")]
    [TestCase("""{"model_type": "t5"}""", "\"t5\"")]
    [TestCase("""{"model_type": "bert", "hidden_size": "large"}""", "hidden_size")]
    [TestCase("""{"model_type": "bert", "hidden_size": 1e400}""", "hidden_size")]
    [TestCase("""{"model_type": "bert", "hidden_size": -768}""", "hidden_size is -768")]
    [TestCase("""{"model_type": "bert", "hidden_size": 100}""", "a multiple of num_attention_heads 12")]
    [TestCase("""{"model_type": "bert", "num_hidden_layers": 2000000000}""", "num_hidden_layers is 2000000000")]
    [TestCase("""{"model_type": "bert", "hidden_act": "laplace"}""", "\"laplace\"")]
    [TestCase("""{"model_type": "bert", "position_embedding_type": "relative_key"}""", "relative_key")]
    [TestCase("""{"model_type": "bert", "is_decoder": true}""", "is_decoder")]
    [TestCase("""{"model_type": "bert", "id2label": {"0": "A", "2": "B"}}""", "without number 1")]
    [TestCase("""{"model_type": "bert", "problem_type": "ranking"}""", "ranking")]
    [TestCase("""{"model_type": "roberta", "max_position_embeddings": 2}""", "max_position_embeddings")]
    [TestCase("""{"model_type": "codegen", "rotary_dim": 33}""", "rotary_dim is 33")]
    [TestCase("""{"model_type": "codegen", "rotary_dim": 512}""", "rotary_dim is 512")]
    [TestCase("""{"model_type": "codegen", "n_head": 2, "n_embd": 64, "rotary_dim": 8}""", "4 blocks")]
    [TestCase("""{"model_type": "codegen", "eos_token_id": "end"}""", "eos_token_id")]
    public void A_bad_file_is_refused_with_what_was_found_and_needed(string json, string says) =>
        Assert.That(() => Parse(json), Throws.TypeOf<ConfigException>().With.Message.Contains(says));

    [TestCase("""{"model_type": "\ud800"}""", "half a surrogate pair")]
    [TestCase("""{"architectures": ["\ud800"]}""", "half a surrogate pair")]
    [TestCase("""{"model_type": "bert", "architectures": [null]}""", "architectures is a list with null")]
    [TestCase("""{"model_type": "bert", "id2label": {"0": null}}""", "The label of number 0 is no text and no number")]
    [TestCase("""{"model_type": "codegen", "n_embd": 4194304, "n_head": 4, "n_positions": 262144, "rotary_dim": null}""",
        "rotary_dim · n_positions is 1048576 · 262144")]
    [TestCase("null", "config.json is null; an object is needed")]
    public void What_no_tensor_would_tell_is_refused(string json, string says) =>
        Assert.That(() => Parse(json), Throws.TypeOf<ConfigException>().With.Message.Contains(says));

    [Test]
    public void Bytes_that_are_not_utf8_are_refused() => Assert.That(
        () => ConfigJson.Parse([.. "{\"model_type\": \""u8, 0xFF, .. "\"}"u8]),
        Throws.TypeOf<ConfigException>().With.Message.Contains("config.json is not UTF-8"));
}

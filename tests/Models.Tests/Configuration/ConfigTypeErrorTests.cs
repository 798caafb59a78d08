using System.Text;
using System.Text.Json.Serialization.Metadata;

namespace ManagedTransformers.Models.Tests;

public sealed class ConfigTypeErrorTests
{
    private static readonly string[] Values = ["\"text\"", "\"2.0\"", "1.5", "99999999999", "true", "[]", "{}", "[{}]", "{\"a\": {}}"];

    private static PretrainedConfig Parse(string json) => ConfigJson.Parse(Encoding.UTF8.GetBytes(json), "/models/x/config.json");

    private static string[] Families() => [.. ModelFamilies.All.Select(family => family.ModelType)];

    [TestCaseSource(nameof(Families))]
    public void A_value_of_another_type_is_refused_by_its_key_with_what_was_found_and_what_is_needed(string modelType)
    {
        int refused = 0;
        foreach ((string key, Type type, string json) in Keys(ModelFamilies.OfType(modelType)!.ConfigTypes, "", "VALUE"))
        {
            foreach (string value in Values.Where(value => !Fits(type, value)))
            {
                string text = $"{{\"model_type\": \"{modelType}\",\n{json.Replace("VALUE", value)}}}";
                ConfigException? error = Assert.Throws<ConfigException>(() => Parse(text), text);
                Assert.That(error!.Message, Does.StartWith("/models/x/config.json: ").And.Contains($"{key} is {value}").Or.Contains($"{key}[0] is {{}}"));
                Assert.That(error.Message, Does.Contain(" is needed. ").Or.Contains("A token id is").Or.Contains("abel"), text);
                Assert.That(error.Message, Does.Not.Contain("System.").And.Not.Contains("nullab").And.Not.Contains("Managed").And.Not.Contains("JSON"), text);
                refused++;
            }
        }
        Assert.That(refused, Is.GreaterThan(100));
    }

    [TestCaseSource(nameof(Families))]
    public void Null_is_a_default_or_is_refused_by_its_key(string modelType)
    {
        foreach ((string key, _, string json) in Keys(ModelFamilies.OfType(modelType)!.ConfigTypes, "", "null"))
        {
            try
            {
                Parse($"{{\"model_type\": \"{modelType}\", {json}}}");
            }
            catch (ConfigException e)
            {
                Assert.That(e.Message, Does.Contain($"{key} is null; ").And.Not.Contains("nullab"), json);
            }
        }
    }

    [TestCase("llama", "\"rope_scaling\": []", "rope_scaling is []; an object or null is needed.")]
    [TestCase("llama", "\"rope_scaling\": {\"type\": \"linear\", \"factor\": \"2.0\"}", "rope_scaling.factor is \"2.0\"; a number or null is needed.")]
    [TestCase("qwen2", "\"hidden_act\": [null]", "hidden_act is [null]; a string is needed.")]
    [TestCase("bert", "\"hidden_size\": 768.5", "hidden_size is 768.5; a whole number of 32 bits is needed.")]
    [TestCase("bert", "\"architectures\": [1]", "architectures[0] is 1; a string is needed.")]
    [TestCase("bert", "\"architectures\": \"BertModel\"", "architectures is \"BertModel\"; a list of strings")]
    [TestCase("bert", "\"is_decoder\": 1", "is_decoder is 1; true or false is needed.")]
    [TestCase("gpt2", "\"eos_token_id\": \"end\"", "eos_token_id is \"end\". A token id is a number, a list of numbers, or null.")]
    [TestCase("bert", "\"id2label\": {\"0\": null}", "id2label is {\"0\": null}. The label of number 0 is no text and no number.")]
    [TestCase("bert", "\"hidden_size\": -1", "(bert): hidden_size is -1; a number in 1 …")]
    [TestCase("bert", "\"vocab_size\": 2147483647", "(bert): vocab_size is 2147483647; a number in 1 … 16777216 is needed.")]
    [TestCase("bert", "\"layer_norm_eps\": -0.5", "(bert): layer_norm_eps is -0.5; a number of at least 0 is needed.")]
    public void The_message_says_where_what_and_what_instead(string family, string json, string message) => Assert.That(
        () => Parse($"{{\"model_type\": \"{family}\", {json}}}"),
        Throws.TypeOf<ConfigException>().With.Message.StartsWith("/models/x/config.json").And.Message.Contains(message));

    [TestCase("[1]", "/models/x/config.json is [1]; an object is needed.")]
    [TestCase("null", "/models/x/config.json is null; an object is needed.")]
    [TestCase("{\"model_type\": 5}", "/models/x/config.json: model_type is 5; a string is needed.")]
    public void What_is_no_object_with_a_model_type_is_refused(string json, string message) =>
        Assert.That(() => Parse(json), Throws.TypeOf<ConfigException>().With.Message.StartsWith(message));

    /// <summary>Every key of a config.json, those inside its objects too, with JSON that sets it.</summary>
    private static IEnumerable<(string Key, Type Type, string Json)> Keys(JsonTypeInfo config, string parent, string value)
    {
        foreach (JsonPropertyInfo property in config.Properties.Where(property => property.Set is not null && !property.IsExtensionData))
        {
            yield return (parent + property.Name, property.PropertyType, $"\"{property.Name}\": {value}");
            if (property.PropertyType == typeof(RopeScaling))
            {
                foreach ((string key, Type type, string json) in Keys(config.Options.GetTypeInfo(property.PropertyType), property.Name + ".", value))
                    yield return (key, type, $"\"{property.Name}\": {{{json}}}");
            }
        }
    }

    private static bool Fits(Type type, string value)
    {
        Type one = Nullable.GetUnderlyingType(type) ?? type;
        return value[0] switch
        {
            '"' => one == typeof(string),
            't' => one == typeof(bool),
            '[' => (value == "[]" && one != typeof(RopeScaling) && one.IsAssignableTo(typeof(System.Collections.IEnumerable)) && one != typeof(string)
                && !one.Name.Contains("Dictionary", StringComparison.Ordinal)),
            '{' => one == typeof(RopeScaling) || (value == "{}" && one.Name.Contains("Dictionary", StringComparison.Ordinal)),
            _ => one == typeof(double) || (one == typeof(int) && !value.Contains('.') && value.Length < 10),
        };
    }
}

using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace ManagedTransformers.Orleans;

/// <summary>Options as text. What is null stays out, so that silos of another version can read what they know.</summary>
internal static class OptionsJson
{
    // Objects of the caller's process; those that are known as data travel beside the options.
    private static readonly string[] s_own =
        [nameof(GenerationOptions.AssistantModel), nameof(GenerationOptions.LogitsProcessors), nameof(GenerationOptions.StoppingCriteria)];

    private static readonly JsonSerializerOptions s_json = new()
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,       // a bias of −∞
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        TypeInfoResolver = new DefaultJsonTypeInfoResolver { Modifiers = { RemoveOwn } },
        Converters = { new RecipeConverter(), new JsonStringEnumConverter() },
    };

    /// <exception cref="ModelInputException">They hold objects of the caller's process.</exception>
    public static string Write(GenerationOptions options)
    {
        string? own = options.AssistantModel is not null ? nameof(options.AssistantModel)
            : options.LogitsProcessors?.All(processor => processor is PortableProcessor) == false ? nameof(options.LogitsProcessors)
            : options.StoppingCriteria?.All(criterion => criterion is PortableCriterion) == false ? nameof(options.StoppingCriteria)
            : null;
        return own is null
            ? JsonSerializer.Serialize(options, s_json)
            : throw new ModelInputException($"{own} is an object of this process, and the text is generated on another machine. Leave it out.");
    }

    /// <exception cref="ModelInputException">There is an option that this version does not have.</exception>
    public static GenerationOptions Read(string json) => ReadAny<GenerationOptions>(json);

    /// <summary>Options, results and states of engines as text.</summary>
    public static string WriteAny<T>(T value) => JsonSerializer.Serialize(value, s_json);

    /// <exception cref="ModelInputException">There is a member that this version does not have.</exception>
    public static T ReadAny<T>(string json)
    {
        try
        {
            return JsonSerializer.Deserialize<T>(json, s_json)!;
        }
        catch (JsonException e)
        {
            throw new ModelInputException($"What another process of the cluster sent cannot be read: {e.Message} Give caller and silos the same version.", e);
        }
    }

    private static void RemoveOwn(JsonTypeInfo type)
    {
        foreach (JsonPropertyInfo property in type.Properties.Where(property => s_own.Contains(property.Name)).ToArray())
            type.Properties.Remove(property);
    }

    // A recipe is one of those that have names.
    private sealed class RecipeConverter : JsonConverter<TruncationRecipe>
    {
        public override TruncationRecipe Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            string name = reader.GetString()!;
            return TruncationRecipe.Named.TryGetValue(name, out TruncationRecipe? recipe) ? recipe : throw new JsonException($"There is no recipe {name}.");
        }

        public override void Write(Utf8JsonWriter writer, TruncationRecipe value, JsonSerializerOptions options) =>
            writer.WriteStringValue(TruncationRecipe.Named.FirstOrDefault(named => ReferenceEquals(named.Value, value)).Key
                ?? throw new ModelInputException("Truncation is a recipe of this process; take one of those that TruncationRecipe names."));
    }
}

using System.Text.Json;

namespace ManagedTransformers.Extensions.AI;

/// <summary>Whether a model has a chat template, which says how messages become one text.</summary>
internal static class ChatTemplates
{
    private const string Instead = "Use a TextGenerator (AddManagedTransformersPipeline<TextGenerator>) to continue and infill text.";

    /// <summary>Why there is no chat client for a model.</summary>
    /// <exception cref="ConfigException">tokenizer_config.json is broken.</exception>
    public static NotSupportedException Refusal(string directory)
    {
        string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(directory));
        return new NotSupportedException(Find(directory) is string file
            ? $"{name} has a chat template ({file}), which this version does not render; a chat that is written in another form is not the model's. {Instead}"
            : $"{name} has no chat template (neither chat_template in tokenizer_config.json nor chat_template.jinja): it was not trained on chats, and an " +
                $"IChatClient of it would have to invent a form. {Instead}");
    }

    /// <summary>The file that has one; null: none does.</summary>
    private static string? Find(string directory)
    {
        if (File.Exists(Path.Combine(directory, "chat_template.jinja")))
            return "chat_template.jinja";
        string config = Path.Combine(directory, "tokenizer_config.json");
        if (!File.Exists(config))
            return null;
        using JsonDocument json = JsonText.Parse(config, File.ReadAllBytes(config), ConfigException.Of);
        return json.RootElement.ValueKind == JsonValueKind.Object && json.RootElement.TryGetProperty("chat_template", out JsonElement template)
            && template.ValueKind != JsonValueKind.Null ? "tokenizer_config.json" : null;
    }
}

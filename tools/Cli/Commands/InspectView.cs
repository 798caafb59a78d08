using System.Globalization;
using System.Text.Json;
using Spectre.Console;

namespace ManagedTransformers.Cli;

/// <summary>What people see of mtx inspect.</summary>
internal static class InspectView
{
    public static void Write(CliConsole console, InspectResult result)
    {
        Table about = Show.Table(console, "checkpoint", result.Directory);
        about.AddRow(Show.Cell("architecture"), Show.Cell(result.Architecture ?? "cannot run"));
        about.AddRow(Show.Cell("parameters"), Show.Cell($"{Show.Count(result.Parameters)} ({result.Parameters.ToString("N0", CultureInfo.InvariantCulture)})"));
        about.AddRow(Show.Cell("size"), Show.Cell($"{Show.Bytes(result.Bytes)}: {string.Join(", ", result.Dtypes.Select(type => $"{type.Tensors} {type.Dtype} tensors"))}"));
        if (result.MaxTokens is int most)
            about.AddRow(Show.Cell("reads"), Show.Cell($"up to {most} tokens"));
        about.AddRow(Show.Cell("tokenizer"), Show.Cell(Describe(result.Tokenizer)));
        Show.Write(console, about);

        WriteConfig(console, result.Config);
        WriteTensors(console, result.Tensors);
        foreach (string problem in result.Problems)
            console.Styled.Write(Show.Cell($"{problem}", Color.Red));
        if (result.Problems.Length > 0)
            console.Out.WriteLine();
    }

    private static string Describe(InspectTokenizer tokenizer) => tokenizer switch
    {
        { Present: false } => "none",
        { VocabularySize: null } => "cannot be read",
        { Fits: true } => $"{tokenizer.VocabularySize} tokens, fits",
        { Fits: false } => $"{tokenizer.VocabularySize} tokens, does not fit",
        _ => $"{tokenizer.VocabularySize} tokens",
    };

    private static void WriteConfig(CliConsole console, JsonElement? config)
    {
        if (config is not { ValueKind: JsonValueKind.Object } root)
            return;
        Table table = Show.Table(console, "config.json", "");
        foreach (JsonProperty property in root.EnumerateObject())
            table.AddRow(Show.Cell(property.Name), Show.Cell(JsonSerializer.Serialize(property.Value, CliJsonContext.Relaxed.JsonElement)));
        console.Out.WriteLine();
        Show.Write(console, table);
    }

    private static void WriteTensors(CliConsole console, InspectTensor[] tensors)
    {
        Table table = Show.Table(console, "tensor", "dtype", "shape", ">size", "");
        foreach (InspectTensor tensor in tensors)
            table.AddRow(Show.Cell(tensor.Name), Show.Cell(tensor.Dtype), Show.Cell($"[{string.Join(", ", tensor.Shape)}]"), Show.Cell(Show.Bytes(tensor.Bytes)), Show.Cell(tensor.Read == false ? "not read" : ""));
        console.Out.WriteLine();
        Show.Write(console, table);
    }
}

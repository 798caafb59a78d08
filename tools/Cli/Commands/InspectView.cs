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
        about.AddRow(Show.Cell("architecture"), Show.Cell(Architecture(result)));
        about.AddRow(Show.Cell("parameters"), Show.Cell($"{Show.Count(result.Parameters)} ({result.Parameters.ToString("N0", CultureInfo.InvariantCulture)})"));
        about.AddRow(Show.Cell("size"),
            Show.Cell($"{Show.Bytes(result.Bytes)}: {string.Join(", ", result.Dtypes.Select(type => $"{type.Tensors} {type.Dtype} tensors"))}"));
        about.AddRow(Show.Cell("memory"), Show.Cell(string.Join(", ", result.Memory.Select(Describe))));
        if (result.MaxTokens is int most)
            about.AddRow(Show.Cell("reads"), Show.Cell($"up to {most} tokens"));
        about.AddRow(Show.Cell("tokenizer"), Show.Cell(Describe(result.Tokenizer)));
        about.AddRow(Show.Cell("kernels"), Show.Cell($"{result.Kernels}; there are {string.Join(", ", result.KernelLevels)}"));
        if (Left(result.Tensors) is { Length: > 0 } left)
            about.AddRow(Show.Cell("not read"), Show.Cell(left));
        if (result.Missing.Length > 0)
            about.AddRow(Show.Cell("missing"), Show.Cell(string.Join(", ", result.Missing)));
        Show.Write(console, about);

        WriteConfig(console, result.Config);
        WriteTensors(console, result.Tensors);
        foreach (string problem in result.Problems)
            console.Styled.Write(Show.Cell($"{problem}", Color.Red));
        foreach (string warning in result.Warnings)
            console.Styled.Write(Show.Cell($"warning: {warning}", Color.Yellow));
        if (result.Problems.Length + result.Warnings.Length > 0)
            console.Out.WriteLine();
    }

    private static string Architecture(InspectResult result) => result switch
    {
        { Architecture: string runs } => runs,
        { RecognisedArchitecture: string known } => $"{known}, cannot run",
        { Problems: [] } => "not told by a single file",
        _ => "cannot run",
    };

    private static string Describe(InspectMemory memory) =>
        $"{memory.Format} {Show.Bytes(memory.Bytes)}{(memory.BytesWithHead is long withHead ? $" ({Show.Bytes(withHead)} with --quantize-head)" : "")}";

    private static string Describe(InspectTokenizer tokenizer)
    {
        string numbers = $"{tokenizer.VocabularySize} tokens, ids up to {tokenizer.HighestId}";
        return tokenizer switch
        {
            { Present: false } => "none",
            { VocabularySize: null } => "cannot be read",
            { Fits: true } => $"{numbers}; fits vocab_size {tokenizer.ModelVocabSize}",
            { Fits: false } => $"{numbers}; does not fit vocab_size {tokenizer.ModelVocabSize}",
            _ => numbers,
        };
    }

    /// <summary>What is not read, by reason: <c>2 buffer, 1 tied</c>.</summary>
    private static string Left(InspectTensor[] tensors) =>
        string.Join(", ", tensors.Where(tensor => tensor.Read == false).GroupBy(tensor => tensor.Use).Select(group => $"{group.Count()} {Words(group.Key)}"));

    private static string Words(string? use) => use switch
    {
        "weight_by_old_name" => "old name",
        "tied" => "tied to a tensor that is read",
        "buffer" => "buffer",
        "other_head" => "of another head",
        "unknown" => "not of this architecture",
        _ => "",
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
            table.AddRow(Show.Cell(tensor.Name), Show.Cell(tensor.Dtype), Show.Cell($"[{string.Join(", ", tensor.Shape)}]"),
                Show.Cell(Show.Bytes(tensor.Bytes)), Show.Cell(tensor.Read == false ? $"not read: {Words(tensor.Use)}" : Words(tensor.Use)));
        console.Out.WriteLine();
        Show.Write(console, table);
    }
}

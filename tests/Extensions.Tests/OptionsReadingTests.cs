using System.Reflection;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;

namespace ManagedTransformers.Extensions.Tests;

/// <summary>Every member of the option types is read from a configuration, found by reflection: a new one cannot be forgotten.</summary>
public sealed class OptionsReadingTests
{
    private static readonly string[] InCodeOnly = ["OnWarning", "Progress"];

    private static IEnumerable<TestCaseData> Members() =>
        Leaves(typeof(PipelineOptions), []).Select(path => new TestCaseData(typeof(PipelineOptions), path).SetArgDisplayNames(Name("Pipeline", path)))
            .Concat(Leaves(typeof(EmbeddingOptions), []).Select(path =>
                new TestCaseData(typeof(EmbeddingOptions), path).SetArgDisplayNames(Name("Embedding", path))));

    [TestCaseSource(nameof(Members))]
    public void A_member_is_read(Type type, PropertyInfo[] path)
    {
        PropertyInfo last = path[^1];
        object defaults = Walk(Activator.CreateInstance(type)!, path) ?? "null";
        (string? suffix, string text) = Other(last.PropertyType, defaults);
        IConfiguration section = Section((Name(null, path) + suffix, text));
        object read = type == typeof(PipelineOptions) ? section.GetPipelineOptions() : section.GetEmbeddingOptions();
        Assert.That(Walk(read, path), Is.Not.Null.And.Not.EqualTo(defaults));
    }

    [Test]
    public void What_a_hosted_model_has_is_read([ValueSource(nameof(HostedMembers))] string member) =>
        Assert.That(() => new ServiceCollection().AddManagedTransformers(Section(("Models:m:" + member, "?"))),
            Throws.TypeOf<OptionsValidationException>().With.Message.Contains($"A:Models:m:{member} is \"?\""));

    [Test]
    public void A_section_that_is_not_there_gives_the_defaults() => Assert.That(Section().GetPipelineOptions(), Is.EqualTo(new PipelineOptions()));

    [TestCase("Load:Kernels:Threads", "2", "A:Load:Kernels:Threads is no option; there are MaxThreads, Level.")]
    [TestCase("Load:Kernels:MaxThreads", "two", "A:Load:Kernels:MaxThreads is \"two\"; a whole number from 1 on is needed.")]
    [TestCase("ModelId", "", "A:ModelId is empty; a name is needed, or no such key.")]
    [TestCase("Tokenizer:ClassAliases:Mine:Deep", "x", "A:Tokenizer:ClassAliases:Mine is a section; a text is needed.")]
    [TestCase("Tokenizer:ClassAliases", "x", "A:Tokenizer:ClassAliases is \"x\"; a section is needed, with a text per name.")]
    public void What_is_wrong_is_named_with_its_path(string key, string value, string message) =>
        Assert.That(() => Section((key, value)).GetPipelineOptions(), Throws.TypeOf<OptionsValidationException>().With.Message.EqualTo(message));

    private static IEnumerable<string> HostedMembers() =>
        typeof(HostedModelOptions).GetProperties().Select(one => one.Name).Where(name => !InCodeOnly.Contains(name));

    private static IEnumerable<PropertyInfo[]> Leaves(Type type, PropertyInfo[] above) => type
        .GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(one => one.CanWrite && !InCodeOnly.Contains(one.Name))
        .SelectMany(one => IsOptions(one.PropertyType) ? Leaves(one.PropertyType, [.. above, one]) : [[.. above, one]]);

    private static bool IsOptions(Type type) => type.IsClass && type.Name.EndsWith("Options", StringComparison.Ordinal);

    private static object? Walk(object options, PropertyInfo[] path) =>
        path.Aggregate((object?)options, (one, member) => one is null ? null : member.GetValue(one));

    private static string Name(string? top, PropertyInfo[] path) =>
        string.Join(':', new[] { top }.Concat(path.Select(one => one.Name)).Where(one => one is not null));

    private static (string? Suffix, string Text) Other(Type type, object defaults)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (type == typeof(bool))
            return (null, defaults is true ? "false" : "true");
        if (type == typeof(int))
            return (null, defaults is 1 ? "2" : "1");
        if (type.IsEnum)
            return (null, Enum.GetNames(type).First(name => name != defaults.ToString() && name is not "Avx512" and not "Avx2"));
        return type == typeof(string) ? (null, "x")
            : type == typeof(IReadOnlyList<Pooling>) ? (":0", "Max")
            : type == typeof(IReadOnlyDictionary<string, string>) ? (":x", "y")
            : throw new NotSupportedException($"{type}: say how this test writes one.");
    }

    private static IConfiguration Section(params (string Key, string Value)[] settings) => new ConfigurationBuilder()
        .AddInMemoryCollection(settings.Select(one => KeyValuePair.Create("A:" + one.Key, (string?)one.Value))).Build().GetSection("A");
}

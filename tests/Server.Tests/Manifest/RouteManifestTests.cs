namespace ManagedTransformers.Server.Tests;

/// <summary>The manifest of routes and fields.</summary>
public sealed class RouteManifestTests
{
    [Test]
    public void Every_route_has_an_entry_and_every_entry_a_route() =>
        Assert.That(ApiRoutes.All.Concat(PageRoutes.All).Select(route => route.Key), Is.EquivalentTo(RouteManifest.Routes.Keys));

    [Test]
    public void Every_entry_names_a_test_that_there_is()
    {
        string[] tests = [.. typeof(RouteManifestTests).Assembly.GetTypes()
            .SelectMany(type => type.GetMethods().Select(method => $"{type.Name}.{method.Name}"))];
        string[] named = [.. RouteManifest.Routes.Values.SelectMany(route => route.Fields.Values.Select(field => field.Test).Append(route.Test)).Distinct()];
        Assert.That(named, Is.SubsetOf(tests));
        Assert.That(named, Has.Length.GreaterThan(5));
    }

    [Test]
    public void A_route_that_is_like_one_that_is_like_a_third_has_the_fields_of_all()
    {
        var field = new FieldEntry { Status = EntryStatus.Supported };
        FieldEntry refused = field with { Status = EntryStatus.Refused };
        var routes = new Dictionary<string, RouteEntry>
        {
            ["c"] = new RouteEntry { Status = EntryStatus.Aliased, Like = "b", Fields = new Dictionary<string, FieldEntry> { ["z"] = field, ["x"] = refused } },
            ["b"] = new RouteEntry { Status = EntryStatus.Aliased, Like = "a", Fields = new Dictionary<string, FieldEntry> { ["y"] = field } },
            ["a"] = new RouteEntry { Status = EntryStatus.Supported, Fields = new Dictionary<string, FieldEntry> { ["x"] = field } },
        };
        IReadOnlyDictionary<string, FieldEntry> fields = RouteManifest.Complete(routes["c"], routes).Fields;
        Assert.That(fields.Keys, Is.EquivalentTo(new[] { "x", "y", "z" }));
        Assert.That(fields["x"].Status, Is.EqualTo(EntryStatus.Refused), "the route's own entry counts");
    }
}
